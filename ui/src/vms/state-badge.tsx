import { CircleAlert, CircleHelp, CirclePause, CirclePlay, CircleStop, LoaderCircle, type LucideIcon, Moon } from 'lucide-react'

import type { GuestPhase, State } from '@/api'
import { Badge, type Tone } from '@/design/badge'
import { say } from '@/words/words'

const LOOKS: Record<State, { tone: Tone; icon: LucideIcon; moves?: boolean }> = {
  creating: { tone: 'busy', icon: LoaderCircle, moves: true },
  starting: { tone: 'busy', icon: LoaderCircle, moves: true },
  running: { tone: 'ok', icon: CirclePlay },
  paused: { tone: 'warn', icon: CirclePause },
  stopping: { tone: 'busy', icon: LoaderCircle, moves: true },
  stopped: { tone: 'idle', icon: CircleStop },
  suspended: { tone: 'idle', icon: Moon },
  error: { tone: 'bad', icon: CircleAlert },
  unknown: { tone: 'unsure', icon: CircleHelp },
  deleting: { tone: 'busy', icon: LoaderCircle, moves: true },
}

/** A VM's state: colour, icon and word, the same everywhere. A guest that still boots is said beside `running`. */
export function StateBadge({ state, guest }: { state: State; guest?: GuestPhase }) {
  const { tone, icon: Icon, moves } = LOOKS[state]
  return (
    <Badge tone={tone}>
      <Icon aria-hidden className={moves ? 'animate-spin' : undefined} />
      {say(`state.${state}`)}
      {state === 'running' && guest === 'booting' ? <span className="font-normal">· {say('state.booting')}</span> : null}
    </Badge>
  )
}
