import type { ReactNode } from 'react'

/** A page's head: its one h1, a line below it, and what can be done on it. */
export function PageHead({ title, below, actions }: { title: ReactNode; below?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-2xl font-semibold tracking-tight">{title}</h1>
        {below ? <div className="mt-0.5 text-muted">{below}</div> : null}
      </div>
      {actions ? <div className="flex flex-wrap gap-2">{actions}</div> : null}
    </div>
  )
}
