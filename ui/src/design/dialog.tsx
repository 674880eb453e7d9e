'use client'

import type { ReactNode } from 'react'

import { later } from './later'

export type DialogProps = {
  onOpenChange: (open: boolean) => void
  title: string
  description?: ReactNode
  footer?: ReactNode
  wide?: boolean
  children?: ReactNode
}

const DialogWindow = later(() => import('./dialog-window').then((module) => module.DialogWindow))

export function Dialog({ open, ...rest }: DialogProps & { open: boolean }) {
  return open ? <DialogWindow {...rest} /> : null
}
