'use client'

import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'

import { type SnapshotBody, snapshotsEdit } from '@/api'
import { Field, Input, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say } from '@/words/words'

import { useRecorded } from './recorded'

/** What a snapshot is called and for; what it holds never changes. */
export function EditSnapshot({ snapshot, onClose }: { snapshot: SnapshotBody; onClose: () => void }) {
  const [name, setName] = useState(snapshot.name)
  const [description, setDescription] = useState(snapshot.description)
  const edit = useMutation({
    mutationFn: () => snapshotsEdit({ path: { snapshot_id: snapshot.id }, body: { name, description }, throwOnError: true }),
    onSuccess: useRecorded(say('vm.saved', { name }), onClose),
  })
  return (
    <FormDialog title={say('vm.edit', { name: snapshot.name })} action={say('do.save')} isBusy={edit.isPending} thrown={edit.error} onSubmit={() => edit.mutate()} onClose={onClose}>
      <Field label={say('vm.name')} required>
        <Input autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={say('vm.description')}>
        <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
