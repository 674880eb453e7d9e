'use client'

import { DropdownMenu } from 'radix-ui'

import { cn } from './cn'
import type { MenuEntry } from './menu'

/** The open menu of `Menu`, under whatever surrounds it. */
export function MenuList({ label, entries, align, onClose }: { label: string; entries: MenuEntry[]; align: 'start' | 'end'; onClose: () => void }) {
  return (
    <DropdownMenu.Root open onOpenChange={(isOpen) => (isOpen ? undefined : onClose())}>
      {/* only a place to stand under: the button that was pressed is there already */}
      <DropdownMenu.Trigger asChild>
        <span aria-hidden className="pointer-events-none absolute inset-0" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          aria-labelledby={undefined}
          aria-label={label}
          align={align}
          sideOffset={4}
          collisionPadding={8}
          onCloseAutoFocus={(event) => event.preventDefault()}
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
