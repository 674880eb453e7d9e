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
import { say } from '@/words/words'

export function EditVm({ vm }: { vm: VmBody }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button size="sm" kind="quiet" onClick={() => setOpen(true)}>
        <Pencil aria-hidden /> {say('do.edit')}
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
      toast.success(say('vm.saved', { name: draft.name }))
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
    <FormDialog title={say('vm.edit', { name: vm.name })} action={say('do.save')} isBusy={edit.isPending} thrown={edit.error} onSubmit={save} onClose={onClose}>
      <Field label={say('vm.name')} hint={say('vm.nameHint')}>
        <Input value={draft.name} onChange={(event) => set({ name: event.target.value })} />
      </Field>
      <Field label={say('vm.description')}>
        <Textarea value={draft.description} onChange={(event) => set({ description: event.target.value })} />
      </Field>
      <Field label={say('vm.tags')} hint={say('field.bySpaces')}>
        <Input value={draft.tags} onChange={(event) => set({ tags: event.target.value })} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={say('vm.environment')}>
          <Input value={draft.environment} onChange={(event) => set({ environment: event.target.value })} />
        </Field>
        <Field label={say('vm.owner')}>
          <Input value={draft.owner} onChange={(event) => set({ owner: event.target.value })} />
        </Field>
      </div>
      <Field label={say('vm.whenHostRestarted')}>
        <Select value={draft.restart_policy} onChange={(event) => set({ restart_policy: event.target.value as RestartPolicy })}>
          <option value="never">{say('vm.leaveStopped')}</option>
          <option value="always">{say('vm.startAgain')}</option>
        </Select>
      </Field>
    </FormDialog>
  )
}
