'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { vmsSaveTemplateMutation } from '@/api/@tanstack/react-query.gen'
import { Field, Input, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { toast } from '@/design/toast'

export function SaveTemplate({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState(vm.name)
  const [description, setDescription] = useState('')
  const save = useMutation({
    ...vmsSaveTemplateMutation(),
    onSuccess: () => {
      void queries.invalidateQueries()
      toast.success(`Saved the template ${name}`)
      onClose()
    },
  })
  return (
    <FormDialog
      title="Save as template"
      description={`The configuration of ${vm.name}, without its disk, password and addresses`}
      action="Save"
      isBusy={save.isPending}
      thrown={save.error}
      onSubmit={() => save.mutate({ path: { vm_id: vm.id }, body: { name, description } })}
      onClose={onClose}
    >
      <Field label="Name" required>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label="Description">
        <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
