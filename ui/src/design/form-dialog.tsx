'use client'

import { type FormEvent, type ReactNode, useId } from 'react'

import { say } from '@/words/words'

import { Button } from './button'
import { Dialog } from './dialog'
import { refused } from './refused'
import { Failure } from './states'

export type FormDialogProps = {
  title: string
  description?: string
  /** What the button says that submits. */
  action: string
  isBusy: boolean
  /** What the last attempt threw. */
  thrown: unknown
  /** Why it cannot be submitted now. */
  refusal?: string | null
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}

/** A dialog around a form: its error above the fields, cancel and submit below. */
export function FormDialog({ title, description, action, isBusy, thrown, refusal, onSubmit, onClose, children }: FormDialogProps) {
  const form = useId()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!refusal && !isBusy) onSubmit()
  }
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>{say('do.cancel')}</Button>
          <Button kind="primary" type="submit" form={form} busy={isBusy} refusal={refusal}>
            {action}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="grid gap-4">
        {thrown ? <Failure refused={refused(thrown)} /> : null}
        {children}
      </form>
    </Dialog>
  )
}
