import { expect, test } from 'vitest'

import { subjectHref, wordsFor } from './words'

const about = { subject_kind: 'vm', subject_id: 'id-1', subject_name: 'web-1' }

test.each([
  ['running', 'Stopping web-1'],
  ['done', 'Stopped web-1'],
  ['failed', 'Could not stop web-1'],
] as const)('says %s in words', (status, words) => {
  expect(wordsFor({ ...about, verb: 'stop', status })).toBe(words)
})

test('a verb nobody told this page of is said as it is', () => {
  expect(wordsFor({ ...about, verb: 'migrate', status: 'running' })).toBe('Migrate web-1')
})

test('tells a snapshot from its VM, and what is done to a VM by one from both', () => {
  const snapshot = { subject_kind: 'snapshot', subject_id: 'id-2', subject_name: 'kept', status: 'done' } as const
  expect(wordsFor({ ...snapshot, verb: 'create' })).toBe('Created snapshot kept')
  expect(wordsFor({ ...snapshot, verb: 'suspend', subject_name: 'web-1' })).toBe('Suspended web-1')
  expect(subjectHref({ ...snapshot, verb: 'create' })).toBe('/snapshots?q=kept')
})

test('links to what is there, not to what was deleted', () => {
  expect(subjectHref({ ...about, verb: 'stop', status: 'done' })).toBe('/vms/id-1')
  expect(subjectHref({ ...about, verb: 'delete', status: 'done' })).toBeNull()
})
