import { CircleAlert } from 'lucide-react'
import type { ReactNode } from 'react'

import { say } from '@/words/words'

import { Button } from './button'
import { cn } from './cn'
import type { Refused } from './refused'

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn('animate-pulse rounded-md bg-sunken', className)} />
}

/** What stands where a page or list is being fetched. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div role="status" className="grid gap-3">
      <span className="sr-only">{say('shell.loading')}</span>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} className="h-10" />
      ))}
    </div>
  )
}

export function Empty({ icon, title, children, action }: { icon?: ReactNode; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-2 rounded-lg border border-dashed px-6 py-14 text-center">
      <div aria-hidden className="text-muted [&_svg]:size-8">
        {icon}
      </div>
      <h2 className="text-lg font-semibold">{title}</h2>
      {children ? <div className="max-w-prose text-muted">{children}</div> : null}
      {action ? <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div> : null}
    </div>
  )
}

/** An error as the API told it: what happened, what to do, and the id to quote. */
export function Failure({ refused, onRetry }: { refused: Refused; onRetry?: () => void }) {
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-bad/40 bg-bad-soft px-4 py-3">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0">
        <p className="font-medium text-bad">{refused.error}</p>
        {refused.suggestion ? <p>{refused.suggestion}</p> : null}
        {refused.requestId ? <p className="mt-1 font-mono text-xs text-muted">{say('failure.request', { id: refused.requestId })}</p> : null}
        {onRetry ? (
          <Button size="sm" className="mt-2" onClick={onRetry}>
            {say('do.retry')}
          </Button>
        ) : null}
      </div>
    </div>
  )
}
