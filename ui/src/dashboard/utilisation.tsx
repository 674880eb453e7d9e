'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'

import { type HostBody, metricsGetHost } from '@/api'
import { later } from '@/design/later'

import { say } from '@/words/words'

const Chart = later(() => import('@/design/chart').then((module) => module.Chart))

const SPAN_S = 3600
const AGAIN_MS = 60_000
const percent = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} %`

/** How busy a host was during the last hour, a point a minute. Nothing while nothing is known of it. */
export function Utilisation({ host }: { host: HostBody }) {
  const history = useQuery({
    queryKey: [{ _id: 'metricsGetHost', host: host.id }],
    queryFn: async ({ signal }) => {
      const from = new Date(Date.now() - SPAN_S * 1000).toISOString()
      const { data } = await metricsGetHost({ path: { host_id: host.id }, query: { from }, signal, throwOnError: true })
      return data.points
    },
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
  })
  const points = history.data ?? []
  if (points.length === 0) return null
  return (
    <Chart
      title={say('dashboard.hourOf', { name: host.name })}
      format={percent}
      top={100}
      span={SPAN_S}
      times={points.map(({ at }) => Date.parse(at) / 1000)}
      series={[
        { label: say('vm.cpu'), color: '--accent', values: points.map((point) => point.cpu_usage_percent ?? null) },
        { label: say('vm.memory'), color: '--unsure', values: points.map((point) => point.memory_usage_percent ?? null) },
      ]}
    />
  )
}
