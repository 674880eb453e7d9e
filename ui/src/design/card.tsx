import type { ReactNode } from 'react'

import { say } from '@/words/words'

import { cn } from './cn'

export function Card({ title, actions, className, children }: { title?: ReactNode; actions?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <section data-slot="card" className={cn('rounded-lg border bg-surface', className)}>
      {title ? (
        <header className="flex items-center justify-between gap-3 border-b px-4 py-2.5">
          <h2 className="font-semibold">{title}</h2>
          {actions}
        </header>
      ) : null}
      <div className="p-4">{children}</div>
    </section>
  )
}

/** Names and values. A value that is missing is told as a dash with words for screen readers. */
export function Facts({ of, className }: { of: [name: string, value: ReactNode][]; className?: string }) {
  return (
    <dl className={cn('grid grid-cols-[minmax(7rem,auto)_1fr] gap-x-6 gap-y-2', className)}>
      {of.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">
            {value === null || value === undefined || value === '' ? <Nothing /> : value}
          </dd>
        </div>
      ))}
    </dl>
  )
}

export function Nothing() {
  return (
    <span className="text-muted">
      <span aria-hidden>–</span>
      <span className="sr-only">{say('value.none')}</span>
    </span>
  )
}
