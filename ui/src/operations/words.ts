import type { OperationBody } from '@/api'

const PAST: Record<string, string> = {
  create: 'Created',
  start: 'Started',
  stop: 'Stopped',
  pause: 'Paused',
  resume: 'Resumed',
  suspend: 'Suspended',
  rollback: 'Rolled back',
  clone: 'Cloned',
  reboot: 'Rebooted',
  delete: 'Deleted',
}
const PRESENT: Record<string, string> = {
  create: 'Creating',
  start: 'Starting',
  stop: 'Stopping',
  pause: 'Pausing',
  resume: 'Resuming',
  suspend: 'Suspending',
  rollback: 'Rolling back',
  clone: 'Cloning',
  reboot: 'Rebooting',
  delete: 'Deleting',
}
const capital = (verb: string) => verb.charAt(0).toUpperCase() + verb.slice(1)

/** An operation in a few words, as far as it has come: "Starting web-1", "Started web-1", "Could not start web-1". */
export function wordsFor({ verb, status, subject_name }: Pick<OperationBody, 'verb' | 'status' | 'subject_name'>) {
  if (status === 'failed') return `Could not ${verb} ${subject_name}`
  if (status === 'superseded') return `${capital(verb)} ${subject_name}: overtaken by a newer wish`
  if (status === 'running') return `${PRESENT[verb] ?? capital(verb)} ${subject_name}`
  return `${PAST[verb] ?? `Done: ${verb}`} ${subject_name}`
}

/** The page of what an operation is about; null where there is none (any more). */
export function subjectHref({ subject_kind, subject_id, verb, status }: Pick<OperationBody, 'subject_kind' | 'subject_id' | 'verb' | 'status'>) {
  if (verb === 'delete' && status === 'done') return null
  return subject_kind === 'vm' ? `/vms/${subject_id}` : null
}
