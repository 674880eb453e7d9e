import { expect, test } from 'vitest'

import { bucketOf, MBIT, perSecond, rewritten, shown, typed } from './limits'

test('100 Mbit/s are 12.5 million bytes a second, there and back', () => {
  const bucket = bucketOf(typed('100', MBIT) as number)
  expect(bucket).toEqual({ size: 12_500_000, refill_time: 1000 })
  expect(shown(perSecond(bucket), MBIT)).toBe('100')
})

test('a bucket of another rhythm is told by the second', () => {
  expect(perSecond({ size: 1_250_000, refill_time: 100 })).toBe(12_500_000)
})

test('nothing is no limit; what is no number is refused', () => {
  expect(typed(' ', MBIT)).toBeNull()
  expect(bucketOf(null)).toBeNull()
  for (const text of ['0', '-1', 'many', 'NaN', 'Infinity']) expect(typed(text, MBIT)).toBeUndefined()
})

test('a bucket of another rhythm stays as it is until somebody types over it', () => {
  const before = { size: 1_250_000, refill_time: 100, one_time_burst: null }
  expect(rewritten(before, shown(perSecond(before), MBIT), MBIT)).toEqual(before)
  expect(rewritten(before, '50', MBIT)).toEqual({ size: 6_250_000, refill_time: 1000 })
  expect(rewritten(before, '', MBIT)).toBeNull()
  expect(rewritten(null, '', MBIT)).toBeNull()
})
