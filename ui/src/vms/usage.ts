'use client'

import { useEffect, useSyncExternalStore } from 'react'

import type { UsageBody } from '@/api'
import { closeSocket, socketUrl } from '@/route/socket'

/** What a VM used at one moment, in percent; null where nobody can tell. */
export type Use = { cpu: number | null; memory: number | null }

type Told = { type: 'usage'; items: ({ vm_id: string } & Pick<UsageBody, 'cpu_usage_percent' | 'memory_usage_percent'>)[] } | { type: 'heartbeat' | 'dropped' }

export const KEPT = 30
const AGAIN_AFTER_MS = 2000
const LONGEST_PAUSE_MS = 60_000
const NONE: Use[] = []

/** The last samples of the VMs that somebody looks at, from the one stream of all (docs/metrics.md). */
export class UsageFeed {
  private readonly uses = new Map<string, Use[]>()
  private readonly watchers = new Map<string, Set<() => void>>()
  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private pause = AGAIN_AFTER_MS

  open() {
    const socket = new WebSocket(socketUrl('/v1/metrics/stream'))
    socket.onopen = () => {
      this.pause = AGAIN_AFTER_MS
    }
    socket.onmessage = ({ data }: MessageEvent<string>) => this.hear(JSON.parse(data) as Told)
    socket.onclose = () => {
      this.timer = setTimeout(() => this.open(), this.pause)
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS)
    }
    this.socket = socket
  }

  close() {
    clearTimeout(this.timer)
    if (this.socket) closeSocket(this.socket)
    this.uses.clear()
  }

  /** Oldest first; the same array until there is something new. */
  of(vmId: string): Use[] {
    return this.uses.get(vmId) ?? NONE
  }

  watch(vmId: string, tell: () => void) {
    this.watchers.set(vmId, (this.watchers.get(vmId) ?? new Set()).add(tell))
    return () => {
      const left = this.watchers.get(vmId)
      left?.delete(tell)
      if (left?.size === 0) this.watchers.delete(vmId)
    }
  }

  private hear(told: Told) {
    if (told.type !== 'usage') return
    for (const { vm_id, cpu_usage_percent, memory_usage_percent } of told.items) {
      const watchers = this.watchers.get(vm_id)
      if (!watchers) continue
      this.uses.set(vm_id, [...this.of(vm_id), { cpu: cpu_usage_percent ?? null, memory: memory_usage_percent ?? null }].slice(-KEPT))
      watchers.forEach((tell) => tell())
    }
  }
}

const feed = new UsageFeed()

/** Follows what VMs use while the page that calls it is shown. */
export function useFollowing() {
  useEffect(() => {
    feed.open()
    return () => feed.close()
  }, [])
}

export function useUses(vmId: string): Use[] {
  return useSyncExternalStore(
    (tell) => feed.watch(vmId, tell),
    () => feed.of(vmId),
    () => NONE,
  )
}
