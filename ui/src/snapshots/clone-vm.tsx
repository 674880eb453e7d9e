'use client'

import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'

import { snapshotsClone, type VmBody } from '@/api'
import { Field, Input } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say } from '@/words/words'

import { useRecorded } from './recorded'

const MOST_CLONES = 100

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
