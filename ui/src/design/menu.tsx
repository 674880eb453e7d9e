'use client'

import { DropdownMenu } from 'radix-ui'
import type { ReactNode } from 'react'

import { cn } from './cn'

export type MenuEntry = {
  label: string
  icon?: ReactNode
  onSelect: () => void
  /** It cannot be chosen now, and this is why. */
  refusal?: string | null
  isDangerous?: boolean
}

/** A menu under its trigger. A refused entry stays in its place and tells its reason. */
export function Menu({ trigger, label, entries, align = 'end' }: { trigger: ReactNode; label: string; entries: MenuEntry[]; align?: 'start' | 'end' }) {
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          aria-label={label}
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-w-80 min-w-48 rounded-md border bg-raised p-1 shadow-pop"
        >
          {entries.map((entry) => (
            <Entry key={entry.label} {...entry} />
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

function Entry({ label, icon, onSelect, refusal, isDangerous }: MenuEntry) {
  return (
    <DropdownMenu.Item
      aria-disabled={refusal ? true : undefined}
      onSelect={(event) => (refusal ? event.preventDefault() : onSelect())}
      className={cn(
        'flex items-start gap-2.5 rounded-sm px-2.5 py-1.5 outline-none data-[highlighted]:bg-sunken [&_svg]:mt-0.5 [&_svg]:size-4',
        isDangerous && !refusal && 'text-bad',
        refusal && 'cursor-not-allowed',
      )}
    >
      <span aria-hidden className={cn(refusal && 'opacity-55')}>
        {icon}
      </span>
      <span>
        <span className={cn(refusal && 'text-muted')}>{label}</span>
        {refusal ? <span className="block text-xs text-muted">{refusal}</span> : null}
      </span>
    </DropdownMenu.Item>
  )
}
