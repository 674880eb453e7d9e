import { cn } from './cn'

const WARN_FROM = 0.8
const BAD_FROM = 0.95

/** How much of something is used, as a bar and in words. */
export function Meter({ label, value, of, words }: { label: string; value: number; of: number; words: string }) {
  const part = of > 0 ? Math.min(1, Math.max(0, value / of)) : 0
  return (
    <div className="grid grid-cols-[4.5rem_1fr_auto] items-center gap-3 text-sm">
      <span className="text-muted">{label}</span>
      <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={of} aria-valuenow={Math.round(value)} aria-valuetext={words} className="h-1.5 overflow-hidden rounded-full bg-sunken">
        <div className={cn('h-full rounded-full', part >= BAD_FROM ? 'bg-bad' : part >= WARN_FROM ? 'bg-warn' : 'bg-accent')} style={{ width: `${part * 100}%` }} />
      </div>
      <span className="tabular">{words}</span>
    </div>
  )
}
