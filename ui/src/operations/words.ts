import type { OperationBody } from '@/api'
import { say } from '@/words/words'

const KNOWN = ['create', 'start', 'stop', 'pause', 'resume', 'suspend', 'rollback', 'clone', 'reboot', 'delete', 'import', 'drain'] as const
type Known = (typeof KNOWN)[number]
const isKnown = (verb: string): verb is Known => (KNOWN as readonly string[]).includes(verb)
const capital = (verb: string) => verb.charAt(0).toUpperCase() + verb.slice(1)

/** An operation in a few words, as far as it has come: "Starting web-1", "Started web-1", "Could not start web-1". */
export function wordsFor(operation: Pick<OperationBody, 'verb' | 'status' | 'subject_name' | 'subject_kind'>) {
  const { verb, status } = operation
  const name = nameFor(operation)
  const said = isKnown(verb) ? say(`op.verb.${verb}`) : verb
  if (status === 'failed') return say('op.failed', { verb: said, name })
  if (status === 'superseded') return say('op.superseded', { verb: capital(said), name })
  if (!isKnown(verb)) return status === 'running' ? `${capital(verb)} ${name}` : say('op.did', { verb, name })
  return say(status === 'running' ? `op.running.${verb}` : `op.done.${verb}`, { name })
}

/** Cloning and suspending are of a VM, though what is promised is a snapshot of it. */
function nameFor({ verb, subject_kind, subject_name }: Pick<OperationBody, 'verb' | 'subject_name' | 'subject_kind'>) {
  return subject_kind === 'snapshot' && verb !== 'clone' && verb !== 'suspend' ? say('op.snapshot', { name: subject_name }) : subject_name
}

/** The page of what an operation is about; null where there is none (any more). */
export function subjectHref({ subject_kind, subject_id, subject_name, verb, status }: Pick<OperationBody, 'subject_kind' | 'subject_id' | 'subject_name' | 'verb' | 'status'>) {
  if (verb === 'delete' && status === 'done') return null
  if (subject_kind === 'snapshot' && (verb === 'create' || verb === 'import')) return `/snapshots?q=${encodeURIComponent(subject_name)}`
  return subject_kind === 'vm' ? `/vms/${subject_id}` : null
}
