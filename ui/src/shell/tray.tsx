'use client'

import { useQuery } from '@tanstack/react-query'
import { LoaderCircle, SquareStack } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useEffect, useRef, useState } from 'react'

import type { OperationBody } from '@/api'
import { operationsListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { later } from '@/design/later'
import { toast } from '@/design/toast'
import { subjectHref, wordsFor } from '@/operations/words'
import { say } from '@/words/words'

const TrayPanel = later(() => import('./tray-panel').then((module) => module.TrayPanel))

/** What is going on and what went on lately; a failure is told wherever one is. */
export function Tray() {
  const recent = useQuery(operationsListOptions({ query: { limit: 12, sort: '-created_at' } }))
  const operations = recent.data?.items ?? []
  const running = operations.filter(({ status }) => status === 'running').length
  const [isOpen, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  useTold(recent.data?.items)
  return (
    <>
      <Button
        ref={button}
        kind="quiet"
        size="sm"
        aria-label={running ? say('tray.running', { count: running }) : say('place.operations')}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        {running ? <LoaderCircle aria-hidden className="animate-spin text-busy" /> : <SquareStack aria-hidden />}
        {running ? <span className="tabular">{running}</span> : null}
      </Button>
      {isOpen ? <TrayPanel operations={operations} anchor={button} onClose={() => setOpen(false)} /> : null}
    </>
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
          action: href ? { label: say('do.show'), onClick: () => router.push(href) } : undefined,
        })
      }
    }
    known.current = new Set([...(known.current ?? []), ...failed.map(({ id }) => id)])
  }, [operations, router])
}
