'use client'

import { useEffect, useState } from 'react'

import type { MachineMetrics } from '@/api'
import type { Refused } from '@/design/refused'

/** One second of a VM. Percent, and bytes a second; null where nobody can tell. `at` in seconds. */
export type Sample = {
  at: number
  cpu: number | null
  memory: number | null
  received: number | null
  sent: number | null
  read: number | null
  written: number | null
}

export const WINDOW_S = 60
const AGAIN_AFTER_MS = 2000

/** The last minute of a VM's metrics, live while `isOn`. */
export function useSamples(vmId: string, isOn: boolean) {
  const [samples, setSamples] = useState<Sample[]>([])
  const [trouble, setTrouble] = useState<Refused | null>(null)
  useEffect(() => {
    if (!isOn) return
    let socket: WebSocket | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let before: MachineMetrics | undefined
    const connect = () => {
      socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/v1/vms/${vmId}/metrics/ws`)
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        const told = JSON.parse(data) as MachineMetrics | { type: 'error'; error: string; suggestion?: string }
        if ('type' in told) {
          setTrouble(told)
          return
        }
        setTrouble(null)
        const sample = between(before, told)
        before = told
        setSamples((known) => [...known.filter(({ at }) => at > sample.at - WINDOW_S), sample])
      }
      socket.onclose = () => {
        timer = setTimeout(connect, AGAIN_AFTER_MS)
      }
    }
    connect()
    return () => {
      clearTimeout(timer)
      if (socket) {
        socket.onclose = null
        socket.close()
      }
    }
  }, [vmId, isOn])
  return { samples, trouble }
}

/** What a sample says, with the rates since the one before it. */
export function between(before: MachineMetrics | undefined, now: MachineMetrics): Sample {
  const seconds = before ? (Date.parse(now.at) - Date.parse(before.at)) / 1000 : 0
  const rate = (last: number | null | undefined, first: number | null | undefined) =>
    seconds > 0 && last != null && first != null && last >= first ? (last - first) / seconds : null
  return {
    at: Date.parse(now.at) / 1000,
    cpu: now.guest?.cpu_percent ?? now.host?.cpu_percent ?? null,
    memory: now.guest ? (100 * (now.guest.memory_total_kib - now.guest.memory_available_kib)) / now.guest.memory_total_kib : null,
    received: rate(received(now), before && received(before)),
    sent: rate(sent(now), before && sent(before)),
    read: rate(now.host?.disk_read_bytes, before?.host?.disk_read_bytes),
    written: rate(now.host?.disk_written_bytes, before?.host?.disk_written_bytes),
  }
}

const total = (metrics: MachineMetrics, of: 'received_bytes' | 'sent_bytes') =>
  metrics.guest ? (metrics.guest.interfaces ?? []).filter(({ name }) => name !== 'lo').reduce((sum, one) => sum + one[of], 0) : null
const received = (metrics: MachineMetrics) => total(metrics, 'received_bytes')
const sent = (metrics: MachineMetrics) => total(metrics, 'sent_bytes')
