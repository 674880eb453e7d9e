'use client'

import { createContext, type ReactNode, useCallback, useContext, useState } from 'react'

import { say } from '@/words/words'

import { Button } from './button'
import { Dialog } from './dialog'
import { Field, Input } from './field'

export type Question = {
  title: string
  /** What is lost, named. */
  body: ReactNode
  action: string
  isDangerous?: boolean
  /** A word to be typed first; for what cannot be taken back and concerns much. */
  typed?: string
}

type Ask = (question: Question) => Promise<boolean>
const Asking = createContext<Ask | null>(null)

/** `await confirm({...})`: true when the person agreed. */
export function useConfirm() {
  const ask = useContext(Asking)
  if (ask === null) throw new Error('useConfirm needs a ConfirmProvider above it')
  return ask
}

type Open = Question & { answer: (agreed: boolean) => void }

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<Open | null>(null)
  const [word, setWord] = useState('')
  const ask = useCallback<Ask>(
    (question) =>
      new Promise((resolve) => {
        setWord('')
        setOpen({ ...question, answer: resolve })
      }),
    [],
  )
  const settle = (agreed: boolean) => {
    open?.answer(agreed)
    setOpen(null)
  }
  const isMissing = open?.typed !== undefined && word !== open.typed
  return (
    <Asking.Provider value={ask}>
      {children}
      {open ? (
        <Dialog
          open
          onOpenChange={() => settle(false)}
          title={open.title}
          footer={
            <>
              <Button onClick={() => settle(false)}>{say('do.cancel')}</Button>
              <Button
                kind={open.isDangerous ? 'danger' : 'primary'}
                refusal={isMissing ? say('confirm.typeFirst', { word: open.typed ?? '' }) : null}
                onClick={() => settle(true)}
              >
                {open.action}
              </Button>
            </>
          }
        >
          <div className="grid gap-4">
            <div>{open.body}</div>
            {open.typed ? (
              <form
                onSubmit={(event) => {
                  event.preventDefault()
                  if (!isMissing) settle(true)
                }}
              >
                <Field label={say('confirm.type', { word: open.typed })}>
                  <Input autoFocus autoComplete="off" value={word} onChange={(event) => setWord(event.target.value)} />
                </Field>
              </form>
            ) : null}
          </div>
        </Dialog>
      ) : null}
    </Asking.Provider>
  )
}
