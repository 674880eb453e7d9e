'use client'

import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'

import { type VmBody, vmsGetConsole } from '@/api'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { say } from '@/words/words'

const EVERY_MS = 2000
const NEAR_PX = 40

/** What the guest wrote to its serial console; stays at the end while the reader is there. */
export function ConsoleTab({ vm }: { vm: VmBody }) {
  const log = useQuery({
    queryKey: [{ _id: 'vmsGetConsole', id: vm.id }],
    queryFn: async ({ signal }) => {
      const { data } = await vmsGetConsole({ path: { vm_id: vm.id }, signal, throwOnError: true, parseAs: 'text' })
      return String(data)
    },
    refetchInterval: EVERY_MS,
  })
  const box = useRef<HTMLPreElement>(null)
  const isAtEnd = useRef(true)
  useEffect(() => {
    if (isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [log.data])
  if (log.isPending) return <Loading rows={4} />
  if (log.error) return <Failure refused={refused(log.error)} />
  if (!log.data) return <Empty title={say('console.empty')}>{say('console.emptyHint')}</Empty>
  return (
    <pre
      ref={box}
      tabIndex={0}
      role="log"
      aria-label={say('console.label', { name: vm.name })}
      onScroll={({ currentTarget: now }) => {
        isAtEnd.current = now.scrollHeight - now.scrollTop - now.clientHeight < NEAR_PX
      }}
      className="h-[calc(100dvh-19rem)] min-h-64 overflow-auto rounded-lg border bg-sunken p-4 font-mono text-xs whitespace-pre-wrap"
    >
      {log.data}
    </pre>
  )
}
