'use client'

import { useQuery } from '@tanstack/react-query'
import { useDeferredValue } from 'react'

import { vmsCreate } from '@/api'
import { refused } from '@/design/refused'
import { say } from '@/words/words'

import { bodyOf, type Draft, errorsOf } from './draft'

/** Where a machine of this size would go now, or why nowhere: the server tries it out and makes nothing. */
export function Placement({ draft }: { draft: Draft }) {
  const { vcpu, mem_mib, disk_size_bytes } = useDeferredValue(bodyOf(draft))
  const { vcpu: badCpu, memMib: badMemory, diskGib: badDisk } = errorsOf(draft)
  const isSane = !badCpu && !badMemory && !badDisk
  const tried = useQuery({
    queryKey: [{ _id: 'hostsTry', vcpu, mem_mib, disk_size_bytes }],
    enabled: isSane,
    queryFn: async ({ signal }) => {
      const body = { name: `try-${crypto.randomUUID().slice(0, 8)}`, vcpu, mem_mib, ...(disk_size_bytes ? { disk_size_bytes } : {}) }
      const { data } = await vmsCreate({ body, query: { dry_run: true }, signal, throwOnError: true })
      return 'hosts' in data ? data : null
    },
  })
  if (!isSane) return null
  const words = tried.error ? refused(tried.error).error : tried.data === undefined || tried.data === null ? say('place.looking') : sentence(tried.data)
  return (
    <p role="status" className="text-sm text-muted">
      {words}
    </p>
  )
}

type Tried = { host_name: string | null; hosts: { host_name: string; refusal?: string | null }[] }

function sentence({ host_name, hosts }: Tried) {
  if (host_name !== null) return say('place.on', { host: host_name })
  const reasons = hosts.map((host) => `${host.host_name}: ${host.refusal ?? say('place.tooLarge')}`)
  return reasons.length > 0 ? say('place.nowhere', { reasons: reasons.join(' · ') }) : say('place.noHost')
}
