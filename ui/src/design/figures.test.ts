import { expect, test } from 'vitest'

import { ago } from './ago'
import { refused } from './refused'
import { bytes, mib } from './size'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [4 * 1024 ** 3, '4 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
])('%d bytes are %s', (count, words) => {
  expect(bytes(count)).toBe(words)
})

test('MiB become GiB', () => expect(mib(2048)).toBe('2 GiB'))

test('times long ago are said in their own unit', () => {
  const now = Date.parse('2026-06-01T12:00:00Z')
  expect(ago('2026-06-01T11:59:58Z', now)).toBe('just now')
  expect(ago('2026-06-01T11:57:00Z', now)).toBe('3m ago')
  expect(ago('2026-05-30T12:00:00Z', now)).toBe('2d ago')
})

test('the API’s own words are shown, a lost connection is named', () => {
  expect(refused({ error: 'No.', suggestion: 'Ask.', code: 'x', status: 409, request_id: 'r-1' })).toEqual({ error: 'No.', suggestion: 'Ask.', code: 'x', status: 409, requestId: 'r-1' })
  expect(refused(new TypeError('Failed to fetch')).error).toMatch(/cannot be reached/)
})
