import { HEIGHT, line, WIDTH } from './line'

/** A line of percentages, the newest at the right end; gaps where nothing was known. It only goes along with a number. */
export function Sparkline({ values, places }: { values: (number | null)[]; places: number }) {
  return (
    <svg aria-hidden width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="shrink-0 text-accent">
      {values.length > 0 ? <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} stroke="var(--line)" /> : null}
      <path d={line(values.slice(-places), places)} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinejoin="round" strokeLinecap="round" />
    </svg>
  )
}
