'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Pause, Play } from 'lucide-react'
import { useState } from 'react'

import { metricsGetVm, type VmBody } from '@/api'
import { Button } from '@/design/button'
import { Chart } from '@/design/chart'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { useUrlState } from '@/route/route'
import { type Key, say } from '@/words/words'

import { type Sample, sampleOf, useSamples, WINDOW_S } from '../samples'

const percent = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} %`
const rate = (value: number) => `${bytes(Math.round(value))}/s`

type Shown = { title: Key; format: (value: number) => string; top: number; series: { of: keyof Sample; label: Key; color: string }[] }

const CHARTS: Shown[] = [
  { title: 'vm.cpu', format: percent, top: 100, series: [{ label: 'metrics.used', of: 'cpu', color: '--accent' }] },
  { title: 'vm.memory', format: percent, top: 100, series: [{ label: 'metrics.used', of: 'memory', color: '--unsure' }] },
  {
    title: 'metrics.network',
    format: rate,
    top: 1024,
    series: [
      { label: 'metrics.in', of: 'received', color: '--ok' },
      { label: 'metrics.out', of: 'sent', color: '--warn' },
    ],
  },
  {
    title: 'metrics.disk',
    format: rate,
    top: 1024,
    series: [
      { label: 'metrics.read', of: 'read', color: '--busy' },
      { label: 'metrics.written', of: 'written', color: '--bad' },
    ],
  },
]

const SPANS: [value: string, label: Key, seconds: number][] = [
  ['live', 'span.live', WINDOW_S],
  ['1h', 'span.1h', 3600],
  ['6h', 'span.6h', 6 * 3600],
  ['24h', 'span.24h', 24 * 3600],
  ['7d', 'span.7d', 7 * 24 * 3600],
]

/** Live, a sample a second over the last minute, or what was kept of the last hours and days. */
export function MetricsTab({ vm }: { vm: VmBody }) {
  const [span, setSpan] = useUrlState('span', 'live')
  const chosen = SPANS.find(([value]) => value === span) ?? SPANS[0]!
  return (
    <div className="grid gap-4">
      <div role="group" aria-label={say('metrics.time')} className="flex flex-wrap gap-1">
        {SPANS.map(([value, label]) => (
          <Button key={value} size="sm" aria-pressed={value === chosen[0]} className="aria-pressed:border-accent aria-pressed:text-accent" onClick={() => setSpan(value)}>
            {say(label)}
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
      <Empty title={say('metrics.nothingNow')}>
        {say('metrics.nothingNowHint', { name: vm.name, state: say(`state.${vm.state}`) })}
      </Empty>
    )
  }
  return (
    <>
      <div>
        <Button size="sm" onClick={() => setOn(!isOn)}>
          {isOn ? <Pause aria-hidden /> : <Play aria-hidden />}
          {isOn ? say('metrics.stop') : say('metrics.again')}
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
  if (samples.length === 0) return <Empty title={say('metrics.nothingPast')}>{say('metrics.nothingPastHint', { name: vm.name })}</Empty>
  return <Charts samples={samples} seconds={seconds} />
}

function Charts({ samples, seconds }: { samples: Sample[]; seconds: number }) {
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      {CHARTS.map(({ title, format, top, series }) => (
        <Chart
          key={title}
          title={say(title)}
          format={format}
          top={top}
          span={seconds}
          times={samples.map(({ at }) => at)}
          series={series.map(({ of, label, color }) => ({ label: say(label), color, values: samples.map((sample) => sample[of]) }))}
        />
      ))}
    </div>
  )
}
