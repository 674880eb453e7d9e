import { type LucideIcon, Pause, Play, Power, RotateCcw, Square, Trash2 } from 'lucide-react'

import type { Verb, VmBody } from '@/api'

export type ShownVerb = { verb: Verb; label: string; icon: LucideIcon; isDangerous?: boolean }

/** The verbs that have a button, in their order. Whether one may be used is the server's word (`actions`). */
export const VERBS: ShownVerb[] = [
  { verb: 'start', label: 'Start', icon: Play },
  { verb: 'stop', label: 'Stop', icon: Square },
  { verb: 'pause', label: 'Pause', icon: Pause },
  { verb: 'resume', label: 'Resume', icon: Play },
  { verb: 'reboot', label: 'Reboot', icon: RotateCcw },
  { verb: 'ctrl-alt-del', label: 'Send Ctrl-Alt-Del', icon: Power },
  { verb: 'delete', label: 'Delete', icon: Trash2, isDangerous: true },
]

/** Why a verb may not be used on a VM now; null when it may. */
export function refusalOf(vm: VmBody, verb: Verb): string | null {
  const action = vm.actions.find((one) => one.verb === verb)
  return action === undefined ? 'This VM does not know this.' : (action.refusal ?? null)
}
