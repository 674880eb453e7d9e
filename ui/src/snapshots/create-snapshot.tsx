'use client'

import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'

import { type SnapshotBody, snapshotsCreate, type SnapshotType, type VmBody } from '@/api'
import { Field, Input, Select, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say } from '@/words/words'

import { useRecorded } from './recorded'

type Props = {
  vm: VmBody
  /** What a Diff can be over. */
  parents: SnapshotBody[]
  /** What the VM has gone on from last. */
  current?: string
  onClose: () => void
}

export function CreateSnapshot({ vm, parents, current, onClose }: Props) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [type, setType] = useState<SnapshotType>('Full')
  const [parent, setParent] = useState(parents.find(({ id }) => id === current)?.id ?? parents.at(-1)?.id ?? '')
  const over = type === 'Diff' ? { parent_id: parent } : {}
  const take = useMutation({
    mutationFn: () => snapshotsCreate({ path: { vm_id: vm.id }, body: { name: name || null, description, snapshot_type: type, ...over }, throwOnError: true }),
    onSuccess: useRecorded(say('snapshot.taking', { name: vm.name }), onClose),
  })
  return (
    <FormDialog
      title={say('snapshot.takeOf', { name: vm.name })}
      description={vm.state === 'stopped' ? say('snapshot.takeOff') : say('snapshot.takeOn')}
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
      {parents.length > 0 ? (
        <Field label={say('snapshot.type')} hint={say(type === 'Full' ? 'snapshot.fullHint' : 'snapshot.diffHint')}>
          <Select value={type} onChange={(event) => setType(event.target.value as SnapshotType)}>
            <option value="Full">{say('snapshot.full')}</option>
            <option value="Diff">{say('snapshot.diff')}</option>
          </Select>
        </Field>
      ) : null}
      {type === 'Diff' ? (
        <Field label={say('snapshot.parent')} hint={say('snapshot.parentHint')}>
          <Select value={parent} onChange={(event) => setParent(event.target.value)}>
            {parents.map(({ id, name: one }) => (
              <option key={id} value={id}>
                {id === current ? `${one} (${say('snapshot.current')})` : one}
              </option>
            ))}
          </Select>
        </Field>
      ) : null}
    </FormDialog>
  )
}
