'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'

import type { RestartPolicy, VmBody } from '@/api'
import { vmsEditMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Field, Input, Select, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { toast } from '@/design/toast'

export function EditVm({ vm }: { vm: VmBody }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button size="sm" kind="quiet" onClick={() => setOpen(true)}>
        <Pencil aria-hidden /> Edit
      </Button>
      {isOpen ? <EditDialog vm={vm} onClose={() => setOpen(false)} /> : null}
    </>
  )
}

function EditDialog({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState({ ...vm, tags: vm.tags.join(' ') })
  const edit = useMutation({
    ...vmsEditMutation(),
    onSuccess: () => {
      void queries.invalidateQueries()
      toast.success(`Saved ${draft.name}`)
      onClose()
    },
  })
  const set = (changes: Partial<typeof draft>) => setDraft({ ...draft, ...changes })
  const save = () => {
    const { name, description, environment, owner, restart_policy } = draft
    const tags = draft.tags.split(/\s+/).filter(Boolean)
    edit.mutate({ path: { vm_id: vm.id }, body: { name, description, environment, owner, restart_policy, tags } })
  }
  return (
    <FormDialog title={`Edit ${vm.name}`} action="Save" isBusy={edit.isPending} thrown={edit.error} onSubmit={save} onClose={onClose}>
      <Field label="Name" hint="The guest's host name takes effect at its next start.">
        <Input value={draft.name} onChange={(event) => set({ name: event.target.value })} />
      </Field>
      <Field label="Description">
        <Textarea value={draft.description} onChange={(event) => set({ description: event.target.value })} />
      </Field>
      <Field label="Tags" hint="Separated by spaces">
        <Input value={draft.tags} onChange={(event) => set({ tags: event.target.value })} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Environment">
          <Input value={draft.environment} onChange={(event) => set({ environment: event.target.value })} />
        </Field>
        <Field label="Owner">
          <Input value={draft.owner} onChange={(event) => set({ owner: event.target.value })} />
        </Field>
      </div>
      <Field label="When its host has restarted">
        <Select value={draft.restart_policy} onChange={(event) => set({ restart_policy: event.target.value as RestartPolicy })}>
          <option value="never">leave it stopped</option>
          <option value="always">start it again</option>
        </Select>
      </Field>
    </FormDialog>
  )
}
