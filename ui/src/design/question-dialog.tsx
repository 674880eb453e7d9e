'use client'

import { type FormEvent, useState } from 'react'

import { say } from '@/words/words'

import { Button } from './button'
import type { Question } from './confirm'
import { Dialog } from './dialog'
import { Field, Input } from './field'

/** What `useConfirm` asks. */
export function QuestionDialog({ question, onAnswer }: { question: Question; onAnswer: (agreed: boolean) => void }) {
  const { title, body, action, isDangerous, typed } = question
  const [word, setWord] = useState('')
  const isMissing = typed !== undefined && word !== typed
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!isMissing) onAnswer(true)
  }
  return (
    <Dialog
      open
      onOpenChange={() => onAnswer(false)}
      title={title}
      footer={
        <>
          <Button onClick={() => onAnswer(false)}>{say('do.cancel')}</Button>
          <Button kind={isDangerous ? 'danger' : 'primary'} refusal={isMissing ? say('confirm.typeFirst', { word: typed }) : null} onClick={() => onAnswer(true)}>
            {action}
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <div>{body}</div>
        {typed ? (
          <form onSubmit={submit}>
            <Field label={say('confirm.type', { word: typed })}>
              <Input autoFocus autoComplete="off" value={word} onChange={(event) => setWord(event.target.value)} />
            </Field>
          </form>
        ) : null}
      </div>
    </Dialog>
  )
}
