import type { CreateVm, SnapshotBody, TemplateBody } from '@/api'
import { say } from '@/words/words'

/** What the wizard holds: texts as they were typed; empty means the server's default. */
export type Draft = {
  name: string
  description: string
  environment: string
  owner: string
  tags: string
  username: string
  password: string
  sshKeys: string[]
  vcpu: string
  memMib: string
  diskGib: string
  kernel: string
  image: string
  bootArgs: string
  restartAlways: boolean
  start: boolean
  /** The template this began as; what it says is in the other fields. */
  template: string
}

export const BLANK: Draft = {
  name: '',
  description: '',
  environment: '',
  owner: '',
  tags: '',
  username: 'root',
  password: '',
  sshKeys: [],
  vcpu: '1',
  memMib: '512',
  diskGib: '',
  kernel: '',
  image: '',
  bootArgs: '',
  restartAlways: false,
  start: true,
  template: '',
}

export type Errors = Partial<Record<keyof Draft, string>>

const NAME = /^[A-Za-z0-9][A-Za-z0-9-]{1,61}[A-Za-z0-9]$/
const USER = /^[a-z_][a-z0-9_-]{0,31}$/

/** A draft that begins as a template says. */
export function fromTemplate({ name, spec, image, kernel }: TemplateBody): Draft {
  return {
    ...BLANK,
    template: name,
    environment: spec.environment,
    owner: spec.owner,
    tags: spec.tags.join(' '),
    username: spec.username,
    vcpu: String(spec.vcpu),
    memMib: String(spec.mem_mib),
    diskGib: spec.disk_size_bytes === null ? '' : String(Math.ceil(spec.disk_size_bytes / 1024 ** 3)),
    image,
    kernel,
    bootArgs: spec.boot_args ?? '',
    restartAlways: spec.restart_policy === 'always',
  }
}

/** What is wrong with a draft, by field. The limits are the API's (CreateVm); the server has the last word. */
export function errorsOf(draft: Draft): Errors {
  const name = wrongName(draft.name)
  return {
    ...(name && { name }),
    ...(USER.test(draft.username) ? {} : { username: say('create.wrongUser') }),
    ...(isWithin(draft.vcpu, 1, 32) ? {} : { vcpu: say('create.wrongVcpu') }),
    ...(isWithin(draft.memMib, 128, 1 << 20) ? {} : { memMib: say('create.wrongMemory') }),
    ...(draft.diskGib === '' || isWithin(draft.diskGib, 1, 16384) ? {} : { diskGib: say('create.wrongDisk') }),
  }
}

/** What is wrong with a VM's name; null when nothing is. */
export const wrongName = (name: string) => (NAME.test(name) ? null : say('create.wrongName'))

function isWithin(text: string, least: number, most: number) {
  const number = Number(text)
  return /^\d+$/.test(text.trim()) && number >= least && number <= most
}

/** The request that a draft stands for; what is the default anyway is left out. */
export function bodyOf(draft: Draft): CreateVm {
  const tags = draft.tags.split(/\s+/).filter(Boolean)
  return {
    name: draft.name,
    vcpu: Number(draft.vcpu),
    mem_mib: Number(draft.memMib),
    ...(draft.description && { description: draft.description }),
    ...(draft.environment && { environment: draft.environment }),
    ...(draft.owner && { owner: draft.owner }),
    ...(tags.length > 0 && { tags }),
    ...(draft.username !== 'root' && { username: draft.username }),
    ...(draft.password && { password: draft.password }),
    ...(draft.sshKeys.length > 0 && { ssh_keys: draft.sshKeys }),
    ...(draft.diskGib && { disk_size_bytes: Number(draft.diskGib) * 1024 ** 3 }),
    ...(draft.kernel && { kernel: draft.kernel }),
    ...(draft.image && { image: draft.image }),
    ...(draft.bootArgs && { boot_args: draft.bootArgs }),
    ...(draft.restartAlways && { restart_policy: 'always' as const }),
    ...(draft.start ? {} : { start: false }),
    ...(draft.template && { template: draft.template }),
  }
}

/** The same as a curl command, without the password. */
export function curlOf(draft: Draft, origin: string) {
  const body = bodyOf(draft)
  if (body.password) body.password = '…'
  return curl(`${origin}/v1/vms`, body)
}

/** What a VM made of a snapshot is called and for; empty means the server's default. */
export type Restored = { name: string; description: string }

/** What the API is asked for to make it. */
export const restoreBodyOf = ({ name, description }: Restored) => ({ ...(name && { name }), ...(description && { description }) })

/** The same as a curl command. */
export const restoreCurlOf = ({ id }: Pick<SnapshotBody, 'id'>, vm: Restored, origin: string) => curl(`${origin}/v1/snapshots/${id}/instantiate`, restoreBodyOf(vm))

function curl(url: string, body: object) {
  const quoted = `'${JSON.stringify(body).replaceAll("'", `'\\''`)}'`
  return `curl -X POST ${url} -H "Authorization: Bearer $NEXUS_TOKEN" -H 'Content-Type: application/json' -d ${quoted}`
}
