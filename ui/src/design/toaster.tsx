'use client'

import { Toaster as Sonner } from 'sonner'

export function Toaster() {
  return <Sonner position="bottom-right" toastOptions={{ classNames: { toast: '!bg-raised !text-text !border-line !shadow-pop', description: '!text-muted' } }} />
}
