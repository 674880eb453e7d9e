'use client'

import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'

import { say } from '@/words/words'

import { Button } from './button'
import { cn } from './cn'
import type { DialogProps } from './dialog'

/** An open dialog; `Dialog` fetches it. */
export function DialogWindow({ onOpenChange, title, description, footer, wide, children }: DialogProps) {
  return (
    <Radix.Root open onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/55 data-[state=open]:animate-in data-[state=open]:fade-in" />
        <Radix.Content
          aria-describedby={description ? undefined : ''}
          className={cn(
            'fixed top-1/2 left-1/2 z-50 flex max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 flex-col rounded-lg border bg-raised shadow-pop data-[state=open]:animate-in data-[state=open]:fade-in data-[state=open]:zoom-in-95',
            wide ? 'max-w-3xl' : 'max-w-md',
          )}
        >
          <header className="flex items-start justify-between gap-4 px-5 pt-4">
            <div>
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              {description ? <Radix.Description className="mt-1 text-muted">{description}</Radix.Description> : null}
            </div>
            <Radix.Close asChild>
              <Button kind="quiet" size="icon" aria-label={say('do.close')} className="-mr-2">
                <X aria-hidden />
              </Button>
            </Radix.Close>
          </header>
          <div className="min-h-0 overflow-y-auto px-5 py-4">{children}</div>
          {footer ? <footer className="flex justify-end gap-2 border-t px-5 py-3">{footer}</footer> : null}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
