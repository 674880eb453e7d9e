'use client'

import { useEffect, useState } from 'react'

import type { MachineMetrics } from '@/api'
import type { Refused } from '@/design/refused'
import { closeSocket, socketUrl } from '@/route/socket'

/** One moment of a VM. Percent, and bytes a second; null where nobody can tell. `at` in seconds since 1970. */
export type Sample = {
  at: number
  cpu: number | null
  memory: number | null
  received: number | null
  sent: number | null
  read: number | null
  written: number | null
}

/** What live samples and points of the past say alike. */
type Told = Pick<
  MachineMetrics,
  | 'at'
  | 'cpu_usage_percent'
  | 'memory_usage_percent'
  | 'network_in_bytes_per_s'
  | 'network_out_bytes_per_s'
  | 'disk_read_bytes_per_s'
  | 'disk_write_bytes_per_s'
>

export const sampleOf = (told: Told): Sample => ({
  at: Date.parse(told.at) / 1000,
  cpu: told.cpu_usage_percent ?? null,
  memory: told.memory_usage_percent ?? null,
  received: told.network_in_bytes_per_s ?? null,
  sent: told.network_out_bytes_per_s ?? null,
  read: told.disk_read_bytes_per_s ?? null,
  written: told.disk_write_bytes_per_s ?? null,
})

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
    const connect = () => {
      socket = new WebSocket(socketUrl(`/v1/vms/${vmId}/metrics/ws`))
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        const told = JSON.parse(data) as MachineMetrics | { type: 'error'; error: string; suggestion?: string }
        if ('type' in told) {
          setTrouble(told)
          return
        }
        setTrouble(null)
        const sample = sampleOf(told)
        setSamples((known) => [...known.filter(({ at }) => at > sample.at - WINDOW_S), sample])
      }
      socket.onclose = () => {
        timer = setTimeout(connect, AGAIN_AFTER_MS)
      }
    }
    connect()
    return () => {
      clearTimeout(timer)
      if (socket) closeSocket(socket)
    }
  }, [vmId, isOn])
  return { samples, trouble }
}
