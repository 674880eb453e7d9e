'use client'

import { useQuery } from '@tanstack/react-query'
import { CirclePlus, KeyRound, Terminal } from 'lucide-react'
import Link from 'next/link'
import type { ReactNode } from 'react'

import { hostsListOptions, imagesListOptions, operationsListOptions, vmsListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Card } from '@/design/card'
import { Meter } from '@/design/meter'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { bytes, mib } from '@/design/size'
import { Failure, Loading } from '@/design/states'
import { OperationRow } from '@/operations/operation-row'
import { useSession } from '@/shell/session'
import { IN_TROUBLE } from '@/vms/filter-bar'
import { say } from '@/words/words'

import { Resources } from './resources'
import { Utilisation } from './utilisation'

const MOST = 500
const MOST_CHARTS = 4

export function Dashboard() {
  const { mayChange } = useSession()
  const vms = useQuery(vmsListOptions({ query: { limit: MOST } }))
  const hosts = useQuery(hostsListOptions({ query: { limit: MOST } }))
  const images = useQuery(imagesListOptions({ query: { limit: MOST } }))
  const operations = useQuery(operationsListOptions({ query: { limit: 8, sort: '-created_at' } }))
  const failure = vms.error ?? hosts.error ?? images.error ?? operations.error
  if (failure) return <Failure refused={refused(failure)} onRetry={() => void Promise.all([vms, hosts, images, operations].map((one) => one.refetch()))} />
  if (!vms.data || !hosts.data || !images.data) return <Loading />
  const machines = vms.data.items
  const more = vms.data.next_cursor ? '+' : ''
  const ready = hosts.data.items.filter(({ state }) => state === 'online')
  return (
    <>
      <PageHead title={say('place.dashboard')} actions={mayChange && machines.length > 0 ? <NewVm /> : null} />
      <div className="mb-4 grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
        <Figure href="/vms" name={say('place.vms')} value={`${machines.length}${more}`} below={say('dashboard.running', { count: machines.filter(({ state }) => state === 'running').length })} />
        <Figure href="/hosts" name={say('place.hosts')} value={String(hosts.data.items.length)} below={say('dashboard.online', { count: ready.length })} />
        <Figure href="/images" name={say('place.images')} value={String(images.data.items.length)} below={bytes(images.data.items.reduce((sum, { size_bytes }) => sum + size_bytes, 0))} />
        <Figure
          href={`/vms?state=${IN_TROUBLE.join()}`}
          name={say('dashboard.inTrouble')}
          value={String(machines.filter(({ state }) => IN_TROUBLE.includes(state)).length)}
          below={say('dashboard.inTroubleHint')}
        />
      </div>
      {machines.length === 0 ? <FirstSteps mayChange={mayChange} /> : <Resources />}
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Card title={say('dashboard.recent')} actions={<All href="/operations" />}>
          <ul className="grid gap-3">
            {operations.data?.items.map((operation) => (
              <li key={operation.id}>
                <OperationRow operation={operation} />
              </li>
            ))}
          </ul>
          {operations.data?.items.length === 0 ? <p className="text-muted">{say('dashboard.recentNone')}</p> : null}
        </Card>
        <Card title={say('place.hosts')} actions={<All href="/hosts" />}>
          <ul className="grid gap-4">
            {hosts.data.items.slice(0, 6).map((host) => (
              <li key={host.id} className="grid gap-2">
                <span className="font-medium">{host.name}</span>
                {host.usage ? (
                  <>
                    <Meter label="CPU" value={host.usage.cpu_percent} of={100} words={`${host.usage.cpu_percent.toFixed(0)} %`} />
                    <Meter
                      label={say('vm.memory')}
                      value={host.usage.memory_used_mib}
                      of={host.memory_mib}
                      words={`${mib(host.usage.memory_used_mib)} of ${mib(host.memory_mib)}`}
                    />
                  </>
                ) : (
                  <span className="text-muted">{say('dashboard.noFigures')}</span>
                )}
              </li>
            ))}
          </ul>
        </Card>
        {ready.slice(0, MOST_CHARTS).map((host) => (
          <Utilisation key={host.id} host={host} />
        ))}
      </div>
    </>
  )
}

function Figure({ href, name, value, below }: { href: string; name: string; value: string; below: string }) {
  return (
    <Link href={href} className="rounded-lg border bg-surface p-4 hover:border-line-strong">
      <span className="block text-muted">{name}</span>
      <span className="tabular block text-2xl font-semibold">{value}</span>
      <span className="block text-sm text-muted">{below}</span>
    </Link>
  )
}

const All = ({ href }: { href: string }) => (
  <Link href={href} className="text-sm text-accent hover:underline">
    {say('do.all')}
  </Link>
)

const NewVm = () => (
  <Button kind="primary" asChild>
    <Link href="/vms/create">
      <CirclePlus aria-hidden /> {say('vms.create')}
    </Link>
  </Button>
)

function FirstSteps({ mayChange }: { mayChange: boolean }) {
  const steps: [ReactNode, string, string][] = [
    [<CirclePlus key="create" aria-hidden />, say('dashboard.step1'), say('dashboard.step1Hint')],
    [<Terminal key="shell" aria-hidden />, say('dashboard.step2'), say('dashboard.step2Hint')],
    [<KeyRound key="key" aria-hidden />, say('dashboard.step3'), say('dashboard.step3Hint')],
  ]
  return (
    <section aria-label={say('dashboard.firstSteps')} className="mb-4 rounded-lg border bg-surface p-6">
      <h2 className="text-lg font-semibold">{say('dashboard.threeSteps')}</h2>
      <ol className="mt-4 grid gap-4 md:grid-cols-3">
        {steps.map(([icon, title, words]) => (
          <li key={title} className="flex gap-3 [&_svg]:mt-0.5 [&_svg]:size-5 [&_svg]:shrink-0 [&_svg]:text-accent">
            {icon}
            <span>
              <span className="block font-medium">{title}</span>
              <span className="text-muted">{words}</span>
            </span>
          </li>
        ))}
      </ol>
      {mayChange ? (
        <div className="mt-5">
          <NewVm />
        </div>
      ) : null}
    </section>
  )
}
