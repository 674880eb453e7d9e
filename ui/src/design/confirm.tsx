'use client'

import { createContext, type ReactNode, useCallback, useContext, useState } from 'react'

import { later } from './later'

export type Question = {
  title: string
  /** What is lost, named. */
  body: ReactNode
  action: string
  isDangerous?: boolean
  /** A word to be typed first; for what cannot be taken back and concerns much. */
  typed?: string
}

const QuestionDialog = later(() => import('./question-dialog').then((module) => module.QuestionDialog))

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
  const ask = useCallback<Ask>(
    (question) =>
      new Promise((resolve) => {
        setOpen({ ...question, answer: resolve })
      }),
    [],
  )
  const settle = (agreed: boolean) => {
    open?.answer(agreed)
    setOpen(null)
  }
  return (
    <Asking.Provider value={ask}>
      {children}
      {open ? <QuestionDialog key={open.title} question={open} onAnswer={settle} /> : null}
    </Asking.Provider>
  )
}
