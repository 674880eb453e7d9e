'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { vmsSaveTemplateMutation } from '@/api/@tanstack/react-query.gen'
import { Field, Input, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { toast } from '@/design/toast'
import { say } from '@/words/words'

export function SaveTemplate({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState(vm.name)
  const [description, setDescription] = useState('')
  const save = useMutation({
    ...vmsSaveTemplateMutation(),
    onSuccess: () => {
      void queries.invalidateQueries()
      toast.success(say('template.saved', { name }))
      onClose()
    },
  })
  return (
    <FormDialog
      title={say('vm.saveTemplate')}
      description={say('template.about', { name: vm.name })}
      action={say('do.save')}
      isBusy={save.isPending}
      thrown={save.error}
      onSubmit={() => save.mutate({ path: { vm_id: vm.id }, body: { name, description } })}
      onClose={onClose}
    >
      <Field label={say('vm.name')} required>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={say('vm.description')}>
        <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
