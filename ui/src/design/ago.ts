import { language, say } from '@/words/words'

const STEPS: [limit: number, seconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [60, 1, 'second'],
  [3600, 60, 'minute'],
  [86_400, 3600, 'hour'],
  [86_400 * 30, 86_400, 'day'],
  [86_400 * 365, 86_400 * 30, 'month'],
  [Infinity, 86_400 * 365, 'year'],
]

/** How long before `present` (milliseconds) that was, in the unit that fits. */
export function ago(at: string, present: number) {
  const seconds = (Date.parse(at) - present) / 1000
  if (Math.abs(seconds) < 10) return say('time.justNow')
  const [, size, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit) ?? STEPS[5]!
  return new Intl.RelativeTimeFormat(language(), { numeric: 'auto', style: 'narrow' }).format(Math.round(seconds / size), unit)
}
