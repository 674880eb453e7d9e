'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { snapshotsClone, snapshotsCreate, type VmBody } from '@/api'
import { Field, Input, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { toast } from '@/design/toast'
import { say } from '@/words/words'

const MOST_CLONES = 100

/** What a recorded wish leads to: a word of it, everything looked at anew, and the dialog gone. */
function useRecorded(told: string, onClose: () => void) {
  const queries = useQueryClient()
  return () => {
    void queries.invalidateQueries()
    toast.success(told)
    onClose()
  }
}

export function CreateSnapshot({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const take = useMutation({
    mutationFn: () => snapshotsCreate({ path: { vm_id: vm.id }, body: { name: name || null, description }, throwOnError: true }),
    onSuccess: useRecorded(say('snapshot.taking', { name: vm.name }), onClose),
  })
  const isOn = vm.state !== 'stopped'
  return (
    <FormDialog
      title={say('snapshot.takeOf', { name: vm.name })}
      description={isOn ? say('snapshot.takeOn') : say('snapshot.takeOff')}
      action={say('snapshot.take')}
      isBusy={take.isPending}
      thrown={take.error}
      onSubmit={() => take.mutate()}
      onClose={onClose}
    >
      <Field label={say('vm.name')} hint={say('snapshot.nameHint')}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={say('vm.description')}>
        <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
    </FormDialog>
  )
}

export function CloneVm({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const [name, setName] = useState(`${vm.name}-clone`)
  const [count, setCount] = useState('1')
  const number = Number(count)
  const wrong = !Number.isInteger(number) || number < 1 || number > MOST_CLONES ? say('clone.wrongCount', { most: MOST_CLONES }) : null
  const clone = useMutation({
    mutationFn: () => snapshotsClone({ path: { vm_id: vm.id }, body: { name, count: number }, throwOnError: true }),
    onSuccess: useRecorded(number === 1 ? say('clone.told', { name: vm.name }) : say('clone.toldMany', { name: vm.name, count: number }), onClose),
  })
  return (
    <FormDialog
      title={say('clone.title', { name: vm.name })}
      description={say('clone.about')}
      action={say('verb.clone')}
      isBusy={clone.isPending}
      thrown={clone.error}
      refusal={wrong}
      onSubmit={() => clone.mutate()}
      onClose={onClose}
    >
      <Field label={say('vm.name')} required hint={number > 1 ? say('clone.names', { name }) : undefined}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={say('clone.count')} error={wrong}>
        <Input inputMode="numeric" value={count} onChange={(event) => setCount(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
