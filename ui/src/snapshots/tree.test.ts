import { expect, test } from 'vitest'

import type { SnapshotBody } from '@/api'

import { placed } from './tree'

const snapshot = (id: string, parent_id: string | null, minute: number) => ({ id, parent_id, created_at: `2026-01-01T00:0${minute}:00Z` }) as SnapshotBody

test('each snapshot stands below what it came after, the oldest first', () => {
  const found = placed([snapshot('c', 'a', 3), snapshot('b', 'a', 2), snapshot('a', null, 1), snapshot('d', 'b', 4)])
  expect(found.map(({ snapshot: { id }, depth }) => `${id}${depth}`)).toEqual(['a0', 'b1', 'd2', 'c1'])
})

test('one whose parent is not there is a first one, and none is left out', () => {
  expect(placed([snapshot('b', 'gone', 2), snapshot('a', null, 1)]).map(({ depth }) => depth)).toEqual([0, 0])
})
