'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Camera, Upload } from 'lucide-react'
import { useState } from 'react'

import type { SnapshotState } from '@/api'
import { snapshotsListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Input, Select } from '@/design/field'
import { later } from '@/design/later'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Ago } from '@/design/time'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { Holds, Name, Origin, sizeOf, State } from './cells'
import { SnapshotActions } from './snapshot-actions'

const ImportSnapshot = later(() => import('./import-snapshot').then((module) => module.ImportSnapshot))
const MOST = 500
const STATES: SnapshotState[] = ['completed', 'creating', 'failed', 'deleting']

/** The snapshots of all VMs, also of those that are gone. */
export function SnapshotList() {
  const [q, setQ] = useUrlState('q')
  const [state, setState] = useUrlState('state')
  const [isImporting, setImporting] = useState(false)
  const { mayChange } = useSession()
  const query = { limit: MOST, q: q || undefined, state: STATES.find((one) => one === state) }
  const snapshots = useQuery({ ...snapshotsListOptions({ query }), placeholderData: keepPreviousData })
  const isNarrowed = q !== '' || state !== ''
  const heads = [say('vm.name'), say('snapshot.vm'), say('snapshot.type'), say('config.size'), say('vm.host'), say('snapshot.age'), say('vm.state')]
  return (
    <>
      <PageHead
        title={say('place.snapshots')}
        below={say('snapshots.below')}
        actions={
          mayChange ? (
            <Button onClick={() => setImporting(true)}>
              <Upload aria-hidden /> {say('import.do')}
            </Button>
          ) : null
        }
      />
      <div className="mb-4 flex flex-wrap gap-2">
        <Input type="search" aria-label={say('snapshots.search')} placeholder={say('list.searchByName')} className="sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
        <Select aria-label={say('vm.state')} className="w-44" value={state} onChange={(event) => setState(event.target.value)}>
          <option value="">{say('vms.anyState')}</option>
          {STATES.map((one) => (
            <option key={one} value={one}>
              {say(`snapshot.state.${one}`)}
            </option>
          ))}
        </Select>
      </div>
      {snapshots.error ? <Failure refused={refused(snapshots.error)} onRetry={() => void snapshots.refetch()} /> : null}
      {snapshots.isPending ? <Loading rows={3} /> : null}
      {snapshots.data?.items.length === 0 ? (
        <Empty icon={<Camera />} title={isNarrowed ? say('snapshots.noMatch') : say('snapshots.none')}>
          {isNarrowed ? say('snapshots.noMatchHint') : say('snapshots.noneAtAll')}
        </Empty>
      ) : null}
      {snapshots.data && snapshots.data.items.length > 0 ? (
        <Table
          label={say('place.snapshots')}
          heads={[...heads, ...(mayChange ? [say('table.actions')] : [])]}
          rows={snapshots.data.items.map((snapshot) => ({
            key: snapshot.id,
            cells: [
              <Name key="name" snapshot={snapshot} />,
              <Origin key="vm" snapshot={snapshot} />,
              <Holds key="type" snapshot={snapshot} known={snapshots.data.items} />,
              sizeOf(snapshot),
              snapshot.host_name,
              <Ago key="age" at={snapshot.created_at} />,
              <State key="state" snapshot={snapshot} />,
              <SnapshotActions key="actions" snapshot={snapshot} />,
            ],
          }))}
        />
      ) : null}
      {snapshots.data?.next_cursor ? <p className="mt-3 text-muted">{say('list.newestShown', { count: MOST })}</p> : null}
      {isImporting ? <ImportSnapshot onClose={() => setImporting(false)} /> : null}
    </>
  )
}
