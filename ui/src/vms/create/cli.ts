import type { SnapshotBody } from '@/api'

import type { Draft, Restored } from './draft'

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/

/** A word as a POSIX shell takes it. */
const quoted = (word: string) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

/** The draft as a `nexus` command. A password is not in it: the command would ask for it on standard input. */
export function cliOf(draft: Draft) {
  const options: [option: string, value: string | boolean][] = [
    ['--vcpu', draft.vcpu === '1' ? '' : draft.vcpu],
    ['--memory', draft.memMib === '512' ? '' : `${draft.memMib}M`],
    ['--disk', draft.diskGib && `${draft.diskGib}G`],
    ['--image', draft.image],
    ['--kernel', draft.kernel],
    ['--username', draft.username === 'root' ? '' : draft.username],
    ['--password-stdin', Boolean(draft.password)],
    ...draft.sshKeys.map((key): [string, string] => ['--ssh-key', key]),
    ['--description', draft.description],
    ...draft.tags.split(/\s+/).map((tag): [string, string] => ['--tag', tag]),
    ['--environment', draft.environment],
    ['--owner', draft.owner],
    ['--boot-args', draft.bootArgs],
    ['--restart', draft.restartAlways ? 'always' : ''],
    ['--no-start', !draft.start],
    ['--template', draft.template],
  ]
  const said = options.filter(([, value]) => value !== '' && value !== false)
  return ['nexus vm create', quoted(draft.name), ...said.map(([option, value]) => (value === true ? option : `${option} ${quoted(String(value))}`))].join(' ')
}

/** Making a VM of a snapshot as a `nexus` command. */
export const restoreCliOf = ({ name: snapshot }: Pick<SnapshotBody, 'name'>, { name, description }: Restored) =>
  ['nexus snapshot restore', quoted(snapshot), ...(name ? [quoted(name)] : []), ...(description ? ['--description', quoted(description)] : [])].join(' ')
