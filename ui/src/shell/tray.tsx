'use client'

import { useQuery } from '@tanstack/react-query'
import { LoaderCircle, SquareStack } from 'lucide-react'
import Link from 'next/link'
import { useRouter } from 'next/navigation'
import { Popover } from 'radix-ui'
import { useEffect, useRef } from 'react'
import { toast } from 'sonner'

import type { OperationBody } from '@/api'
import { operationsListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { OperationRow } from '@/operations/operation-row'
import { subjectHref, wordsFor } from '@/operations/words'

/** What is going on and what went on lately; a failure is told wherever one is. */
export function Tray() {
  const recent = useQuery(operationsListOptions({ query: { limit: 12, sort: '-created_at' } }))
  const operations = recent.data?.items ?? []
  const running = operations.filter(({ status }) => status === 'running').length
  useTold(recent.data?.items)
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button kind="quiet" size="sm" aria-label={running ? `Operations: ${running} running` : 'Operations'}>
          {running ? <LoaderCircle aria-hidden className="animate-spin text-busy" /> : <SquareStack aria-hidden />}
          {running ? <span className="tabular">{running}</span> : null}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label="Operations"
          className="z-50 w-[min(26rem,calc(100vw-1rem))] rounded-lg border bg-raised shadow-pop"
        >
          <div className="flex items-center justify-between border-b px-4 py-2.5">
            <h2 className="font-semibold">Operations</h2>
            <Link href="/operations" className="text-sm text-accent hover:underline">
              All
            </Link>
          </div>
          <ul className="max-h-96 divide-y overflow-y-auto">
            {operations.map((operation) => (
              <li key={operation.id} className="px-4 py-2.5">
                <OperationRow operation={operation} />
              </li>
            ))}
            {operations.length === 0 ? <li className="px-4 py-6 text-center text-muted">Nothing yet.</li> : null}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}

/** Tells, once each, of operations that failed while this page was open. */
function useTold(operations: OperationBody[] | undefined) {
  const router = useRouter()
  const known = useRef<Set<string> | null>(null)
  useEffect(() => {
    if (!operations) return
    const failed = operations.filter(({ status }) => status === 'failed')
    if (known.current !== null) {
      for (const operation of failed) {
        if (known.current.has(operation.id)) continue
        const href = subjectHref(operation)
        toast.error(wordsFor(operation), {
          description: operation.error?.error,
          action: href ? { label: 'Show', onClick: () => router.push(href) } : undefined,
        })
      }
    }
    known.current = new Set([...(known.current ?? []), ...failed.map(({ id }) => id)])
  }, [operations, router])
}
