'use client'

import { Slot } from 'radix-ui'
import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react'

import { later } from './later'

export type MenuEntry = {
  label: string
  icon?: ReactNode
  onSelect: () => void
  /** It cannot be chosen now, and this is why. */
  refusal?: string | null
  isDangerous?: boolean
}

const MenuList = later(() => import('./menu-list').then((module) => module.MenuList))

/** A menu under its trigger. A refused entry stays in its place and tells its reason. A closed one costs no more than its
 * button: a long list has one in every row. */
export function Menu({ trigger, label, entries, align = 'end' }: { trigger: ReactNode; label: string; entries: MenuEntry[]; align?: 'start' | 'end' }) {
  const [isOpen, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const openByKey = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowDown') return
    event.preventDefault()
    setOpen(true)
  }
  return (
    <span className="relative inline-flex">
      <Slot.Root ref={button} aria-haspopup="menu" aria-expanded={isOpen} onClick={() => setOpen(true)} onKeyDown={openByKey}>
        {trigger}
      </Slot.Root>
      {isOpen ? (
        <MenuList
          label={label}
          entries={entries}
          align={align}
          onClose={() => {
            setOpen(false)
            button.current?.focus()
          }}
        />
      ) : null}
    </span>
  )
}
