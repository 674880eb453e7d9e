import { CircleCheck, CircleSlash, CircleX, LoaderCircle } from 'lucide-react'
import Link from 'next/link'

import type { OperationBody } from '@/api'
import { Ago } from '@/design/time'
import { say } from '@/words/words'

import { subjectHref, wordsFor } from './words'

const ICONS = {
  running: <LoaderCircle aria-hidden className="animate-spin text-busy" />,
  done: <CircleCheck aria-hidden className="text-ok" />,
  failed: <CircleX aria-hidden className="text-bad" />,
  superseded: <CircleSlash aria-hidden className="text-idle" />,
}

/** One operation: what, how far, and why it failed. */
export function OperationRow({ operation }: { operation: OperationBody }) {
  const href = subjectHref(operation)
  const { status, stage, progress, error, created_at } = operation
  return (
    <div className="flex gap-3 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0">
      {ICONS[status]}
      <div className="min-w-0 flex-1">
        <div className="flex items-baseline justify-between gap-3">
          {href ? (
            <Link href={href} prefetch={false} className="truncate font-medium hover:underline">
              {wordsFor(operation)}
            </Link>
          ) : (
            <span className="truncate font-medium">{wordsFor(operation)}</span>
          )}
          <Ago at={created_at} className="shrink-0 text-xs text-muted" />
        </div>
        {status === 'running' ? (
          <>
            {stage ? <p className="text-sm text-muted">{stage}</p> : null}
            <progress aria-label={say('operations.progress', { what: wordsFor(operation) })} value={progress} max={100} className="mt-1 h-1 w-full" />
          </>
        ) : null}
        {error ? (
          <p className="text-sm text-bad">
            {error.error} {error.suggestion ? <span className="text-text">{error.suggestion}</span> : null}
          </p>
        ) : null}
      </div>
    </div>
  )
}
