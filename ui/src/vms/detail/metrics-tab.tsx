'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Pause, Play } from 'lucide-react'
import { useState } from 'react'

import { metricsGetVm, type VmBody } from '@/api'
import { Button } from '@/design/button'
import { Chart, type Series } from '@/design/chart'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { useUrlState } from '@/route/route'

import { type Sample, sampleOf, useSamples, WINDOW_S } from '../samples'

const percent = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} %`
const rate = (value: number) => `${bytes(Math.round(value))}/s`

type Shown = { title: string; format: (value: number) => string; top: number; series: (Series & { of: keyof Sample })[] }

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

const SPANS: [value: string, label: string, seconds: number][] = [
  ['live', 'Live', WINDOW_S],
  ['1h', '1 hour', 3600],
  ['6h', '6 hours', 6 * 3600],
  ['24h', '24 hours', 24 * 3600],
  ['7d', '7 days', 7 * 24 * 3600],
]

/** Live, a sample a second over the last minute, or what was kept of the last hours and days. */
export function MetricsTab({ vm }: { vm: VmBody }) {
  const [span, setSpan] = useUrlState('span', 'live')
  const chosen = SPANS.find(([value]) => value === span) ?? SPANS[0]!
  return (
    <div className="grid gap-4">
      <div role="group" aria-label="Time shown" className="flex flex-wrap gap-1">
        {SPANS.map(([value, label]) => (
          <Button key={value} size="sm" aria-pressed={value === chosen[0]} className="aria-pressed:border-accent aria-pressed:text-accent" onClick={() => setSpan(value)}>
            {label}
          </Button>
        ))}
      </div>
      {chosen[0] === 'live' ? <Live vm={vm} /> : <Past vm={vm} seconds={chosen[2]} />}
    </div>
  )
}

function Live({ vm }: { vm: VmBody }) {
  const [isOn, setOn] = useState(true)
  const isRunning = vm.state === 'running'
  const { samples, trouble } = useSamples(vm.id, isOn && isRunning)
  if (!isRunning) {
    return (
      <Empty title="Nothing to measure">
        {vm.name} is {vm.state}. Start it to see what it uses, or look at the last hours.
      </Empty>
    )
  }
  return (
    <>
      <div>
        <Button size="sm" onClick={() => setOn(!isOn)}>
          {isOn ? <Pause aria-hidden /> : <Play aria-hidden />}
          {isOn ? 'Stop measuring' : 'Measure again'}
        </Button>
      </div>
      {trouble ? <Failure refused={trouble} /> : null}
      <Charts samples={samples} seconds={WINDOW_S} />
    </>
  )
}

function Past({ vm, seconds }: { vm: VmBody; seconds: number }) {
  const history = useQuery({
    queryKey: [{ _id: 'metricsGetVm', vm: vm.id, seconds }],
    queryFn: async ({ signal }) => {
      const from = new Date(Date.now() - seconds * 1000).toISOString()
      const { data } = await metricsGetVm({ path: { vm_id: vm.id }, query: { from }, signal, throwOnError: true })
      return data
    },
    placeholderData: keepPreviousData,
  })
  if (history.isPending) return <Loading rows={3} />
  if (history.error) return <Failure refused={refused(history.error)} onRetry={() => void history.refetch()} />
  const samples = history.data.points.map(sampleOf)
  if (samples.length === 0) return <Empty title="Nothing was measured">{vm.name} did not run in this time, or it is too new.</Empty>
  return <Charts samples={samples} seconds={seconds} />
}

function Charts({ samples, seconds }: { samples: Sample[]; seconds: number }) {
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      {CHARTS.map(({ title, format, top, series }) => (
        <Chart
          key={title}
          title={title}
          format={format}
          top={top}
          span={seconds}
          times={samples.map(({ at }) => at)}
          series={series.map(({ of, ...one }) => ({ ...one, values: samples.map((sample) => sample[of]) }))}
        />
      ))}
    </div>
  )
}
