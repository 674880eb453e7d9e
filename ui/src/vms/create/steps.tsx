'use client'

import { useQuery } from '@tanstack/react-query'
import { Dices, Eye, EyeOff } from 'lucide-react'
import { useState } from 'react'

import type { ImageKind } from '@/api'
import { imagesListOptions, sshKeysListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Checkbox, Field, Input, Select, Textarea } from '@/design/field'
import { mib } from '@/design/size'
import { type Key, say } from '@/words/words'

import type { Draft, Errors } from './draft'
import { generatedPassword } from './password'
import { Placement } from './placement'

export type StepProps = {
  draft: Draft
  errors: Errors
  set: (changes: Partial<Draft>) => void
  onLeave: (field: keyof Draft) => void
  onGo: (step: string) => void
}

export function Basics({ draft, errors, set, onLeave }: StepProps) {
  return (
    <>
      <Field label={say('vm.name')} required hint={say('create.nameHint')} error={errors.name}>
        <Input autoFocus autoComplete="off" value={draft.name} onBlur={() => draft.name && onLeave('name')} onChange={(event) => set({ name: event.target.value })} />
      </Field>
      <Field label={say('vm.description')}>
        <Textarea value={draft.description} onChange={(event) => set({ description: event.target.value })} />
      </Field>
      <div className="grid gap-5 sm:grid-cols-3">
        <Field label={say('vm.environment')}>
          <Input value={draft.environment} placeholder="production" onChange={(event) => set({ environment: event.target.value })} />
        </Field>
        <Field label={say('vm.owner')}>
          <Input value={draft.owner} onChange={(event) => set({ owner: event.target.value })} />
        </Field>
        <Field label={say('vm.tags')} hint={say('field.bySpaces')}>
          <Input value={draft.tags} onChange={(event) => set({ tags: event.target.value })} />
        </Field>
      </div>
    </>
  )
}

export function SignIn({ draft, errors, set, onLeave }: StepProps) {
  const [isShown, setShown] = useState(false)
  const keys = useQuery(sshKeysListOptions({ query: { limit: 200 } }))
  const choose = (id: string, isOn: boolean) => set({ sshKeys: isOn ? [...draft.sshKeys, id] : draft.sshKeys.filter((one) => one !== id) })
  return (
    <>
      <Field label={say('signIn.user')} error={errors.username}>
        <Input autoComplete="off" value={draft.username} onBlur={() => onLeave('username')} onChange={(event) => set({ username: event.target.value })} />
      </Field>
      <div className="flex items-start gap-2">
        <Field label={say('signIn.password')} hint={say('create.passwordHint')} className="flex-1">
          <Input type={isShown ? 'text' : 'password'} autoComplete="new-password" value={draft.password} onChange={(event) => set({ password: event.target.value })} />
        </Field>
        <Button kind="quiet" size="icon" className="mt-7" aria-label={isShown ? say('create.hidePassword') : say('create.showPassword')} onClick={() => setShown(!isShown)}>
          {isShown ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
        </Button>
        <Button
          kind="quiet"
          size="icon"
          className="mt-7"
          aria-label={say('create.makeUpPassword')}
          onClick={() => {
            set({ password: generatedPassword() })
            setShown(true)
          }}
        >
          <Dices aria-hidden />
        </Button>
      </div>
      <fieldset className="grid gap-2">
        <legend className="mb-1 font-medium">{say('create.sshKeys')}</legend>
        {keys.data?.items.map((key) => (
          <Checkbox key={key.id} label={key.name} hint={key.fingerprint} checked={draft.sshKeys.includes(key.id)} onChange={(event) => choose(key.id, event.target.checked)} />
        ))}
        {keys.data?.items.length === 0 ? <p className="text-sm text-muted">{say('create.noSshKeys')}</p> : null}
      </fieldset>
    </>
  )
}

const SIZES: [label: Key, vcpu: string, memMib: string][] = [
  ['create.small', '1', '512'],
  ['create.medium', '2', '2048'],
  ['create.large', '4', '8192'],
]

export function Machine({ draft, errors, set, onLeave }: StepProps) {
  return (
    <>
      <div role="group" aria-label={say('create.sizes')} className="flex flex-wrap gap-2">
        {SIZES.map(([label, vcpu, memMib]) => (
          <Button key={label} size="sm" aria-pressed={draft.vcpu === vcpu && draft.memMib === memMib} className="aria-pressed:border-accent aria-pressed:text-accent" onClick={() => set({ vcpu, memMib })}>
            {say(label)}: {vcpu} vCPU, {mib(Number(memMib))}
          </Button>
        ))}
      </div>
      <div className="grid gap-5 sm:grid-cols-3">
        <Field label={say('vm.vcpus')} hint={say('create.vcpuHint')} error={errors.vcpu}>
          <Input inputMode="numeric" value={draft.vcpu} onBlur={() => onLeave('vcpu')} onChange={(event) => set({ vcpu: event.target.value })} />
        </Field>
        <Field label={say('config.memory')} hint={say('create.memoryHint')} error={errors.memMib}>
          <Input inputMode="numeric" value={draft.memMib} onBlur={() => onLeave('memMib')} onChange={(event) => set({ memMib: event.target.value })} />
        </Field>
        <Field label={say('create.diskGib')} hint={say('create.diskHint')} error={errors.diskGib}>
          <Input inputMode="numeric" value={draft.diskGib} onBlur={() => onLeave('diskGib')} onChange={(event) => set({ diskGib: event.target.value })} />
        </Field>
      </div>
      <Placement draft={draft} />
      <Checkbox label={say('create.restart')} checked={draft.restartAlways} onChange={(event) => set({ restartAlways: event.target.checked })} />
    </>
  )
}

export function Boot({ draft, set }: StepProps) {
  const images = useQuery(imagesListOptions({ query: { limit: 500 } }))
  const of = (kind: ImageKind) => images.data?.items.filter((image) => image.kind === kind) ?? []
  return (
    <>
      <Field label={say('create.rootfs')} hint={say('create.rootfsHint')}>
        <Select value={draft.image} onChange={(event) => set({ image: event.target.value })}>
          <option value="">{usual(of('rootfs'))}</option>
          {of('rootfs').map(({ id, name }) => (
            <option key={id}>{name}</option>
          ))}
        </Select>
      </Field>
      <Field label={say('vm.kernel')}>
        <Select value={draft.kernel} onChange={(event) => set({ kernel: event.target.value })}>
          <option value="">{usual(of('kernel'))}</option>
          {of('kernel').map(({ id, name }) => (
            <option key={id}>{name}</option>
          ))}
        </Select>
      </Field>
      <Field label={say('vm.bootArgs')} hint={say('config.bootArgsHint')}>
        <Input className="font-mono" value={draft.bootArgs} onChange={(event) => set({ bootArgs: event.target.value })} />
      </Field>
      <Checkbox label={say('create.startAtOnce')} checked={draft.start} onChange={(event) => set({ start: event.target.checked })} />
    </>
  )
}

/** What is taken when nothing is chosen. */
function usual(images: { name: string; is_default: boolean }[]) {
  const image = images.find(({ is_default }) => is_default)
  return image ? say('create.defaultIs', { name: image.name }) : say('create.noChoice')
}
