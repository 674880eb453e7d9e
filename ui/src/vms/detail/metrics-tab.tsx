'use client'

import { Pause, Play } from 'lucide-react'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { Chart, type Series } from '@/design/chart'
import { bytes } from '@/design/size'
import { Empty, Failure } from '@/design/states'

import { type Sample, useSamples, WINDOW_S } from '../samples'

const percent = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} %`
const rate = (value: number) => `${bytes(Math.round(value))}/s`

type Shown = { title: string; format: (value: number) => string; top?: number; series: (Series & { of: keyof Sample })[] }

const CHARTS: Shown[] = [
  { title: 'CPU', format: percent, top: 100, series: [{ label: 'used', of: 'cpu', color: '--accent' }] },
  { title: 'Memory', format: percent, top: 100, series: [{ label: 'used', of: 'memory', color: '--unsure' }] },
  {
    title: 'Network',
    format: rate,
    top: 1024,
    series: [
      { label: 'in', of: 'received', color: '--ok' },
      { label: 'out', of: 'sent', color: '--warn' },
    ],
  },
  {
    title: 'Disk',
    format: rate,
    top: 1024,
    series: [
      { label: 'read', of: 'read', color: '--busy' },
      { label: 'written', of: 'written', color: '--bad' },
    ],
  },
]

/** The last minute, a sample a second, while it is switched on. */
export function MetricsTab({ vm }: { vm: VmBody }) {
  const [isOn, setOn] = useState(true)
  const isRunning = vm.state === 'running'
  const { samples, trouble } = useSamples(vm.id, isOn && isRunning)
  if (!isRunning) return <Empty title="Nothing to measure">{vm.name} is {vm.state}. Start it to see what it uses.</Empty>
  return (
    <div className="grid gap-4">
      <div>
        <Button size="sm" onClick={() => setOn(!isOn)}>
          {isOn ? <Pause aria-hidden /> : <Play aria-hidden />}
          {isOn ? 'Stop measuring' : 'Measure again'}
        </Button>
      </div>
      {trouble ? <Failure refused={trouble} /> : null}
      <div className="grid gap-4 xl:grid-cols-2">
        {CHARTS.map(({ title, format, top, series }) => (
          <Chart
            key={title}
            title={title}
            format={format}
            top={top}
            span={WINDOW_S}
            times={samples.map(({ at }) => at)}
            series={series.map(({ of, ...one }) => ({ ...one, values: samples.map((sample) => sample[of]) }))}
          />
        ))}
      </div>
    </div>
  )
}
