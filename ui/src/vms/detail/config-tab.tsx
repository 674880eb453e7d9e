'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

import { type BootSourceBody, type VmBody, vmConfigPatchBootSource, vmConfigPatchMachineConfig } from '@/api'
import { imagesListOptions, vmConfigGetBootSourceOptions } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { Card } from '@/design/card'
import { Field, Input, Select } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { tellApplied } from '../devices/changed'

/** What the machine is made of. What waits for a restart is said above, and by the answer to each change. */
export function ConfigTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  const boot = useQuery(vmConfigGetBootSourceOptions({ path: { vm_id: vm.id } }))
  return (
    <div className="grid gap-4">
      {vm.pending_changes.length > 0 ? (
        <p role="status" className="flex flex-wrap items-center gap-1.5 rounded-lg border bg-warn-soft px-4 py-2 text-warn">
          {say('config.pending')}
          {vm.pending_changes.map((change) => (
            <Badge key={change} tone="warn">
              {change}
            </Badge>
          ))}
        </p>
      ) : null}
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Machine vm={vm} mayChange={mayChange} />
        {boot.isPending ? <Loading rows={2} /> : null}
        {boot.error ? <Failure refused={refused(boot.error)} onRetry={() => void boot.refetch()} /> : null}
        {boot.data ? <Boot key={JSON.stringify(boot.data.item)} vm={vm} boot={boot.data.item} mayChange={mayChange} /> : null}
      </div>
    </div>
  )
}

function Machine({ vm, mayChange }: { vm: VmBody; mayChange: boolean }) {
  const queries = useQueryClient()
  const [vcpu, setVcpu] = useState(String(vm.vcpu))
  const [memory, setMemory] = useState(String(vm.mem_mib))
  const isChanged = vcpu !== String(vm.vcpu) || memory !== String(vm.mem_mib)
  const save = useMutation({
    mutationFn: () => vmConfigPatchMachineConfig({ path: { vm_id: vm.id }, body: { vcpu: Number(vcpu), mem_mib: Number(memory) }, throwOnError: true }),
    onSuccess: ({ data }) => tellApplied(say('config.savedSize', { name: vm.name }), data.applied),
    onSettled: () => void queries.invalidateQueries(),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={say('config.size')}>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        {save.error ? (
          <div className="sm:col-span-2">
            <Failure refused={refused(save.error)} />
          </div>
        ) : null}
        <Field label={say('vm.vcpus')}>
          <Input inputMode="numeric" readOnly={!mayChange} value={vcpu} onChange={(event) => setVcpu(event.target.value)} />
        </Field>
        <Field label={say('config.memory')}>
          <Input inputMode="numeric" readOnly={!mayChange} value={memory} onChange={(event) => setMemory(event.target.value)} />
        </Field>
        {mayChange ? <Save isBusy={save.isPending} isChanged={isChanged} /> : null}
      </form>
    </Card>
  )
}

function Boot({ vm, boot, mayChange }: { vm: VmBody; boot: BootSourceBody; mayChange: boolean }) {
  const queries = useQueryClient()
  const kernels = useQuery(imagesListOptions({ query: { kind: 'kernel', limit: 500 } }))
  const [kernel, setKernel] = useState(boot.kernel_image_id)
  const [args, setArgs] = useState(boot.boot_args ?? '')
  const isChanged = kernel !== boot.kernel_image_id || args !== (boot.boot_args ?? '')
  const save = useMutation({
    mutationFn: () => vmConfigPatchBootSource({ path: { vm_id: vm.id }, body: { kernel_image_id: kernel, boot_args: args || null }, throwOnError: true }),
    onSuccess: ({ data }) => tellApplied(say('config.savedBoot', { name: vm.name }), data.applied),
    onSettled: () => void queries.invalidateQueries(),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={say('config.boot')}>
      <form onSubmit={submit} className="grid gap-4">
        {save.error ? <Failure refused={refused(save.error)} /> : null}
        <Field label={say('vm.kernel')}>
          <Select disabled={!mayChange} value={kernel} onChange={(event) => setKernel(event.target.value)}>
            {kernels.data ? null : <option value={boot.kernel_image_id}>{boot.kernel}</option>}
            {kernels.data?.items.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={say('vm.bootArgs')} hint={say('config.bootArgsHint')}>
          <Input className="font-mono" readOnly={!mayChange} value={args} onChange={(event) => setArgs(event.target.value)} />
        </Field>
        {mayChange ? <Save isBusy={save.isPending} isChanged={isChanged} /> : null}
      </form>
    </Card>
  )
}

function Save({ isBusy, isChanged }: { isBusy: boolean; isChanged: boolean }) {
  return (
    <div className="col-span-full">
      <Button type="submit" busy={isBusy} refusal={isChanged ? null : say('config.unchanged')}>
        {say('do.save')}
      </Button>
    </div>
  )
}
