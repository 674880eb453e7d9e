import { expect, test } from 'vitest'

import { sampleOf } from './samples'

test('what nobody can tell is null, not zero', () => {
  expect(sampleOf({ at: '2026-01-01T00:00:00Z', cpu_usage_percent: 0, network_in_bytes_per_s: null })).toEqual({
    at: Date.parse('2026-01-01T00:00:00Z') / 1000,
    cpu: 0,
    memory: null,
    received: null,
    sent: null,
    read: null,
    written: null,
  })
})
