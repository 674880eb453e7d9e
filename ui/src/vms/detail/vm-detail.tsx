'use client'

import { useQuery } from '@tanstack/react-query'
import dynamic from 'next/dynamic'
import Link from 'next/link'
import { useEffect } from 'react'

import type { VmBody } from '@/api'
import { vmsGetOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { Tabs } from '@/design/tabs'
import { useRouteId, useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { StateBadge } from '../state-badge'
import { ActivityTab } from './activity-tab'
import { OverviewTab } from './overview-tab'
import { VmActions } from './vm-actions'

const TerminalTab = dynamic(() => import('./terminal-tab').then((module) => module.TerminalTab), { ssr: false, loading: () => <Loading /> })
const MetricsTab = dynamic(() => import('./metrics-tab').then((module) => module.MetricsTab), { ssr: false, loading: () => <Loading /> })
const ConfigTab = dynamic(() => import('./config-tab').then((module) => module.ConfigTab), { ssr: false, loading: () => <Loading /> })
const StorageTab = dynamic(() => import('./storage-tab').then((module) => module.StorageTab), { ssr: false, loading: () => <Loading /> })
const NetworkTab = dynamic(() => import('./network-tab').then((module) => module.NetworkTab), { ssr: false, loading: () => <Loading /> })
const SnapshotsTab = dynamic(() => import('@/snapshots/snapshots-tab').then((module) => module.SnapshotsTab), { ssr: false, loading: () => <Loading /> })
const ConsoleTab = dynamic(() => import('./console-tab').then((module) => module.ConsoleTab), { ssr: false, loading: () => <Loading /> })

/** All ids share one exported page, which does not mount anew between them: hence the key. */
export function VmDetail() {
  const id = useRouteId()
  return id ? <Detail key={id} id={id} /> : <Loading />
}

function Detail({ id }: { id: string }) {
  const { data, error, isPending, refetch } = useQuery(vmsGetOptions({ path: { vm_id: id } }))
  const vm = data?.item
  useEffect(() => {
    if (vm) document.title = `${vm.name} · Nexus`
  }, [vm])
  if (isPending) return <Loading />
  if (!vm) {
    const problem = refused(error)
    if (problem.status !== 404 && problem.status !== 422) return <Failure refused={problem} onRetry={() => void refetch()} />
    return (
      <Empty
        title={say('vm.gone')}
        action={
          <Button asChild>
            <Link href="/vms">{say('vm.all')}</Link>
          </Button>
        }
      >
        {say('vm.goneHint')}
      </Empty>
    )
  }
  return (
    <>
      <PageHead
        title={
          <>
            {vm.name} <StateBadge state={vm.state} guest={vm.guest} />
          </>
        }
        below={vm.description}
        actions={<VmActions vm={vm} />}
      />
      <Notices vm={vm} />
      <VmTabs vm={vm} />
    </>
  )
}

/** What the platform has to say about this VM right now. */
function Notices({ vm }: { vm: VmBody }) {
  return (
    <div className="mb-4 grid gap-2 empty:hidden">
      {vm.fault ? <Failure refused={{ error: vm.fault }} /> : null}
      {vm.stage ? (
        <p role="status" className="rounded-lg border bg-busy-soft px-4 py-2 text-busy">
          {vm.stage}
        </p>
      ) : null}
      {vm.warnings.map((warning) => (
        <p key={warning} role="status" className="rounded-lg border bg-warn-soft px-4 py-2 text-warn">
          {warning}
        </p>
      ))}
      {vm.why && !vm.fault ? <p className="rounded-lg border bg-surface px-4 py-2 text-muted">{vm.why}</p> : null}
    </div>
  )
}

function VmTabs({ vm }: { vm: VmBody }) {
  const [tab, setTab] = useUrlState('tab', 'overview')
  const { isAdmin, mayChange } = useSession()
  const tabs = [
    { value: 'overview', label: say('tab.overview'), content: <OverviewTab vm={vm} /> },
    { value: 'config', label: say('tab.config'), content: <ConfigTab vm={vm} /> },
    { value: 'storage', label: say('tab.storage'), content: <StorageTab vm={vm} /> },
    { value: 'network', label: say('tab.network'), content: <NetworkTab vm={vm} /> },
    { value: 'snapshots', label: say('tab.snapshots'), content: <SnapshotsTab vm={vm} /> },
    ...(mayChange ? [{ value: 'terminal', label: say('tab.terminal'), content: <TerminalTab vm={vm} /> }] : []),
    { value: 'console', label: say('tab.console'), content: <ConsoleTab vm={vm} /> },
    { value: 'metrics', label: say('tab.metrics'), content: <MetricsTab vm={vm} /> },
    { value: 'activity', label: say('tab.activity'), content: <ActivityTab vm={vm} isAdmin={isAdmin} /> },
  ]
  const chosen = tabs.some(({ value }) => value === tab) ? tab : 'overview'
  return <Tabs label={say('vm.about', { name: vm.name })} tabs={tabs} value={chosen} onChange={setTab} />
}
