'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { toast } from 'sonner'

import type { VmBody } from '@/api'
import { vmsSaveTemplateMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Dialog } from '@/design/dialog'
import { Field, Input, Textarea } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure } from '@/design/states'

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
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate({ path: { vm_id: vm.id }, body: { name, description } })
  }
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title="Save as template"
      description={`The configuration of ${vm.name}, without its disk, password and addresses`}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="save-template" busy={save.isPending}>
            Save
          </Button>
        </>
      }
    >
      <form id="save-template" onSubmit={submit} className="grid gap-4">
        {save.error ? <Failure refused={refused(save.error)} /> : null}
        <Field label="Name" required>
          <Input value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Description">
          <Textarea value={description} onChange={(event) => setDescription(event.target.value)} />
        </Field>
      </form>
    </Dialog>
  )
}
