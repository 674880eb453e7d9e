'use client'

import Link from 'next/link'
import { Popover } from 'radix-ui'
import type { RefObject } from 'react'

import type { OperationBody } from '@/api'
import { OperationRow } from '@/operations/operation-row'
import { say } from '@/words/words'

/** The newest operations, under the tray's button. */
export function TrayPanel({ operations, anchor, onClose }: { operations: OperationBody[]; anchor: RefObject<HTMLButtonElement | null>; onClose: () => void }) {
  return (
    <Popover.Root open onOpenChange={(isOpen) => (isOpen ? undefined : onClose())}>
      <Popover.Anchor virtualRef={anchor as RefObject<HTMLButtonElement>} />
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label={say('place.operations')}
          onInteractOutside={(event) => anchor.current?.contains(event.target as Node) && event.preventDefault()}
          onCloseAutoFocus={() => anchor.current?.focus()}
          className="z-50 w-[min(26rem,calc(100vw-1rem))] rounded-lg border bg-raised shadow-pop"
        >
          <div className="flex items-center justify-between border-b px-4 py-2.5">
            <h2 className="font-semibold">{say('place.operations')}</h2>
            <Link href="/operations" className="text-sm text-accent hover:underline">
              {say('do.all')}
            </Link>
          </div>
          <ul className="max-h-96 divide-y overflow-y-auto">
            {operations.map((operation) => (
              <li key={operation.id} className="px-4 py-2.5">
                <OperationRow operation={operation} />
              </li>
            ))}
            {operations.length === 0 ? <li className="px-4 py-6 text-center text-muted">{say('tray.none')}</li> : null}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
