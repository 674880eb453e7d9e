'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { snapshotsClone, snapshotsCreate, type SnapshotBody, snapshotsInstantiate, type VmBody } from '@/api'
import { Field, Input, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { toast } from '@/design/toast'

const MOST_CLONES = 100
const WRONG_COUNT = `A whole number from 1 to ${MOST_CLONES}.`

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
    onSuccess: useRecorded(`Taking a snapshot of ${vm.name}`, onClose),
  })
  const isOn = vm.state !== 'stopped'
  return (
    <FormDialog
      title={`Take a snapshot of ${vm.name}`}
      description={isOn ? 'Its memory and disks as they are now. It stands still for a moment, and goes on.' : 'Its disks as they are now: it is off.'}
      action="Take snapshot"
      isBusy={take.isPending}
      thrown={take.error}
      onSubmit={() => take.mutate()}
      onClose={onClose}
    >
      <Field label="Name" hint="Empty: the VM’s name and the time">
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label="Description">
        <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
    </FormDialog>
  )
}

export function RestoreSnapshot({ snapshot, onClose }: { snapshot: SnapshotBody; onClose: () => void }) {
  const [name, setName] = useState('')
  const restore = useMutation({
    mutationFn: () => snapshotsInstantiate({ path: { snapshot_id: snapshot.id }, body: { name: name || null }, throwOnError: true }),
    onSuccess: useRecorded(`Making a VM from ${snapshot.name}`, onClose),
  })
  return (
    <FormDialog
      title={`New VM from ${snapshot.name}`}
      description={`On ${snapshot.host_name}, with addresses, password and SSH host keys of its own`}
      action="Create VM"
      isBusy={restore.isPending}
      thrown={restore.error}
      onSubmit={() => restore.mutate()}
      onClose={onClose}
    >
      <Field label="Name" hint={`Empty: ${snapshot.vm_name} with a number`}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  )
}

export function CloneVm({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const [name, setName] = useState(`${vm.name}-clone`)
  const [count, setCount] = useState('1')
  const number = Number(count)
  const isWrong = !Number.isInteger(number) || number < 1 || number > MOST_CLONES
  const clone = useMutation({
    mutationFn: () => snapshotsClone({ path: { vm_id: vm.id }, body: { name, count: number }, throwOnError: true }),
    onSuccess: useRecorded(number === 1 ? `Cloning ${vm.name}` : `Making ${number} clones of ${vm.name}`, onClose),
  })
  return (
    <FormDialog
      title={`Clone ${vm.name}`}
      description="New VMs like this one as it is now; it goes on as it is. Each has addresses, password and SSH host keys of its own."
      action="Clone"
      isBusy={clone.isPending}
      thrown={clone.error}
      refusal={isWrong ? WRONG_COUNT : null}
      onSubmit={() => clone.mutate()}
      onClose={onClose}
    >
      <Field label="Name" required hint={number > 1 ? `They are called ${name}-1, ${name}-2 …` : undefined}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label="How many" error={isWrong ? WRONG_COUNT : null}>
        <Input inputMode="numeric" value={count} onChange={(event) => setCount(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
