'use client'

import { useSyncExternalStore } from 'react'

import { preferred } from '@/settings/preferences'
import { locale } from '@/words/words'

import { ago } from './ago'

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
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium', timeZone: zone }).format(new Date(at))
}

/** The time of day of a point in seconds since 1970. */
export function clock(seconds: number) {
  const { timeZone } = preferred()
  return new Date(seconds * 1000).toLocaleTimeString('sv-SE', { timeZone: timeZone === 'local' ? undefined : timeZone })
}

export function Moment({ at }: { at: string | null | undefined }) {
  return at ? <time dateTime={at}>{moment(at)}</time> : null
}
