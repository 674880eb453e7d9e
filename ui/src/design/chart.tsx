'use client'

import { useTheme } from 'next-themes'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

import { clock } from './time'

export type Series = { label: string; /** A colour token, such as `--accent`. */ color: string }
type Drawn = Series & { values: (number | null)[] }

const HEIGHT_PX = 170

/** Lines over time. The newest values stand beside the title as text: a canvas says nothing to a screen reader. */
export function Chart({
  title,
  times,
  series,
  format,
  top,
  span,
}: {
  title: string
  /** Seconds since 1970, one for each value. */
  times: number[]
  series: Drawn[]
  format: (value: number) => string
  /** The least the axis reaches up to. */
  top?: number
  /** How many seconds the axis shows, ending with the newest value; without it, all there are. */
  span?: number
}) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const { resolvedTheme } = useTheme()
  const shape = series.map(({ label, color }) => `${label}${color}`).join()

  useEffect(() => {
    const element = place.current
    if (!element) return
    plot.current = new uPlot(options(element, series, format, { top, span }), data(times, series), element)
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }))
    resize.observe(element)
    return () => {
      resize.disconnect()
      plot.current?.destroy()
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- new points go in below, without a new plot
  }, [shape, resolvedTheme])

  useEffect(() => {
    plot.current?.setData(data(times, series))
  }, [times, series])

  return (
    <section className="min-w-0 overflow-hidden rounded-lg border bg-surface p-4">
      <header className="mb-2 flex flex-wrap items-baseline justify-between gap-x-4">
        <h2 className="font-semibold">{title}</h2>
        <p className="tabular flex gap-4 text-sm">
          {series.map(({ label, color, values }) => (
            <span key={label} className="inline-flex items-center gap-1.5">
              <span aria-hidden className="h-0.5 w-3" style={{ background: `var(${color})` }} />
              <span className="text-muted">{label}</span> {latest(values, format)}
            </span>
          ))}
        </p>
      </header>
      <div ref={place} aria-hidden style={{ height: HEIGHT_PX }} />
    </section>
  )
}

function latest(values: (number | null)[], format: (value: number) => string) {
  const value = values.at(-1)
  return value === null || value === undefined ? '–' : format(value)
}

const data = (times: number[], series: Drawn[]) => [times, ...series.map(({ values }) => values)] as uPlot.AlignedData

type Reach = { top?: number; span?: number }

function options(element: HTMLElement, series: Drawn[], format: (value: number) => string, { top = 0, span }: Reach): uPlot.Options {
  const style = getComputedStyle(element)
  const color = (token: string) => style.getPropertyValue(token).trim()
  const axis = { stroke: color('--text-muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, font: '11px sans-serif' }
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { points: { size: 6 } },
    scales: {
      x: { range: (_, least, most) => [span ? most - span : least, most] },
      y: { range: (_, __, most) => [0, Math.max(top, (most ?? 0) * 1.1)] },
    },
    axes: [{ ...axis, space: 90, size: 28, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => format(tick)) }],
    series: [{}, ...series.map((one) => ({ label: one.label, stroke: color(one.color), width: 1.6, points: { show: false } }))],
  }
}
