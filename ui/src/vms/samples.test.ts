import { expect, test } from 'vitest'

import type { MachineMetrics } from '@/api'

import { between } from './samples'

const metrics = (at: string, bytes: number): MachineMetrics =>
  ({
    at,
    host: { cpu_percent: 50, disk_read_bytes: bytes, disk_written_bytes: 0 },
    guest: {
      cpu_percent: 12,
      memory_total_kib: 1000,
      memory_available_kib: 750,
      interfaces: [
        { name: 'lo', received_bytes: 9_999_999, sent_bytes: 9_999_999 },
        { name: 'eth0', received_bytes: bytes, sent_bytes: bytes },
      ],
    },
  }) as unknown as MachineMetrics

const first = metrics('2026-01-01T00:00:00Z', 1000)
const second = metrics('2026-01-01T00:00:02Z', 5000)

test('the first sample has no rates', () => {
  expect(between(undefined, first)).toMatchObject({ cpu: 12, memory: 25, received: null, read: null })
})

test('rates are a second’s, without what the guest sends to itself', () => {
  expect(between(first, second)).toMatchObject({ received: 2000, sent: 2000, read: 2000, written: 0 })
})

test('a counter that began again, after a reboot, has no rate', () => {
  expect(between(second, { ...first, at: '2026-01-01T00:00:04Z' }).received).toBeNull()
})

test('without the guest’s own figures the host’s stand for CPU', () => {
  expect(between(first, { ...second, guest: null })).toMatchObject({ cpu: 50, memory: null, received: null })
})
