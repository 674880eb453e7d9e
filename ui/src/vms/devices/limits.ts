import type { BucketAnswer, TokenBucketBody } from '@/api'

/** What one thinks in, of what the API takes: so many bytes or operations a second. */
export type Rate = 'bandwidth' | 'ops'

const MS = 1000
export const MBIT = 125_000
export const MBYTE = 1_000_000

/** A bucket that refills once a second with so many units; null for no limit. */
export function bucketOf(perSecond: number | null): TokenBucketBody | null {
  return perSecond === null ? null : { size: Math.round(perSecond), refill_time: MS }
}

/** How many units a second a bucket lets through in the long run. */
export const perSecond = (bucket: BucketAnswer | TokenBucketBody | null | undefined) => (bucket ? (bucket.size * MS) / bucket.refill_time : null)

/** A typed number of units (such as Mbit/s) as units of the API; undefined when it is none. */
export function typed(text: string, unit: number): number | null | undefined {
  if (text.trim() === '') return null
  const number = Number(text)
  return Number.isFinite(number) && number > 0 ? number * unit : undefined
}

/** The bucket that is meant by what stands in a field: the one there was, as long as nobody has typed over it. */
export function rewritten(before: BucketAnswer | TokenBucketBody | null | undefined, text: string, unit: number): TokenBucketBody | null {
  if (text === shown(perSecond(before), unit)) return before ?? null
  return bucketOf(typed(text, unit) ?? null)
}

export const shown = (rate: number | null, unit: number) => (rate === null ? '' : String(Math.round((rate / unit) * 1000) / 1000))
