import { type LucideIcon, Moon, Pause, Play, Power, RotateCcw, Square, Trash2 } from 'lucide-react'

import type { Verb, VmBody } from '@/api'
import { type Key, say } from '@/words/words'

export type ShownVerb = { verb: Verb; label: Key; icon: LucideIcon; isDangerous?: boolean }

/** The verbs that have a button, in their order. Whether one may be used is the server's word (`actions`). */
export const VERBS: ShownVerb[] = [
  { verb: 'start', label: 'verb.start', icon: Play },
  { verb: 'stop', label: 'verb.stop', icon: Square },
  { verb: 'pause', label: 'verb.pause', icon: Pause },
  { verb: 'resume', label: 'verb.resume', icon: Play },
  { verb: 'suspend', label: 'verb.suspend', icon: Moon },
  { verb: 'reboot', label: 'verb.reboot', icon: RotateCcw },
  { verb: 'ctrl-alt-del', label: 'verb.ctrl-alt-del', icon: Power },
  { verb: 'delete', label: 'verb.delete', icon: Trash2, isDangerous: true },
]

/** Why a verb may not be used on a VM now; null when it may. */
export function refusalOf(vm: VmBody, verb: Verb): string | null {
  const action = vm.actions.find((one) => one.verb === verb)
  return action === undefined ? say('verb.unknown') : (action.refusal ?? null)
}
