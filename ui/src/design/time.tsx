'use client'

import { useSyncExternalStore } from 'react'

import { preferred } from '@/settings/preferences'

const STEPS: [limit: number, seconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [60, 1, 'second'],
  [3600, 60, 'minute'],
  [86_400, 3600, 'hour'],
  [86_400 * 30, 86_400, 'day'],
  [86_400 * 365, 86_400 * 30, 'month'],
  [Infinity, 86_400 * 365, 'year'],
]

let now = Date.now()
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

/** One clock for all relative times of a page. */
function subscribe(listener: () => void) {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = Date.now()
    listeners.forEach((tell) => tell())
  }, 10_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

export function ago(at: string, present: number) {
  const seconds = (Date.parse(at) - present) / 1000
  if (Math.abs(seconds) < 10) return 'just now'
  const [, size, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit) ?? STEPS[5]!
  return new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'narrow' }).format(Math.round(seconds / size), unit)
}

/** "3 min. ago", with the exact time on hover. */
export function Ago({ at, className }: { at: string; className?: string }) {
  const present = useSyncExternalStore(subscribe, () => now, () => now)
  return (
    <time dateTime={at} title={moment(at)} className={className}>
      {ago(at, Math.max(present, Date.parse(at)))}
    </time>
  )
}

/** A point in time as the person prefers to read it. */
export function moment(at: string) {
  const { timeZone, dateStyle } = preferred()
  const zone = timeZone === 'local' ? undefined : timeZone
  if (dateStyle === 'iso') {
    return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: zone }).format(new Date(at))
  }
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', timeZone: zone }).format(new Date(at))
}

export function Moment({ at }: { at: string | null | undefined }) {
  return at ? <time dateTime={at}>{moment(at)}</time> : null
}
