'use client'

import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'

import { type SnapshotBody, snapshotsCreate, type SnapshotType, type VmBody } from '@/api'
import { Field, Input, Select, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say, sayCount } from '@/words/words'

import { useRecorded } from './recorded'

const MOST_KEPT = 1000

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
  const [keep, setKeep] = useState('')
  const wrongKeep = keep === '' || (/^\d+$/.test(keep) && Number(keep) >= 1 && Number(keep) <= MOST_KEPT) ? null : say('snapshot.wrongKeep', { most: MOST_KEPT })
  const over = type === 'Diff' ? { parent_id: parent } : {}
  const take = useMutation({
    mutationFn: () => {
      const body = { name: name || null, description, snapshot_type: type, ...over, keep_last: keep === '' ? null : Number(keep) }
      return snapshotsCreate({ path: { vm_id: vm.id }, body, throwOnError: true })
    },
    onSuccess: useRecorded(say('snapshot.taking', { name: vm.name }), onClose),
  })
  return (
    <FormDialog
      title={say('snapshot.takeOf', { name: vm.name })}
      description={vm.state === 'stopped' ? say('snapshot.takeOff') : say('snapshot.takeOn')}
      action={say('snapshot.take')}
      isBusy={take.isPending}
      thrown={take.error}
      refusal={wrongKeep}
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
        <Field label={say('snapshot.keepLast')} hint={keptHint(keep, parents.length)} error={wrongKeep}>
          <Input inputMode="numeric" autoComplete="off" value={keep} onChange={(event) => setKeep(event.target.value)} />
        </Field>
      ) : null}
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

/** What becomes of the others when only so many are kept, the new one among them. */
function keptHint(keep: string, others: number): string {
  const going = keep === '' ? 0 : others + 1 - Number(keep)
  return going > 0 ? sayCount('snapshot.keepDeletes', going) : say('snapshot.keepAll')
}
