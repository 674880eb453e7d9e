'use client'

import { getCoreRowModel, useReactTable } from '@tanstack/react-table'
import Link from 'next/link'
import { useMemo } from 'react'

import type { ListedVm } from '@/api'
import { DataTable } from '@/design/data-table'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'
import { COLUMNS } from '@/vms/columns'
import { FilterBar } from '@/vms/filter-bar'
import { useVms } from '@/vms/list-query'
import { useFollowing } from '@/vms/usage'
import { say } from '@/words/words'

const SORT = '-created_at'
const MOST = 12
const SHOWN = new Set(['name', 'state', 'cpu', 'memory', 'host', 'actions'])
const OVERVIEW = COLUMNS.filter(({ id, ...column }) => SHOWN.has(id ?? String('accessorKey' in column ? column.accessorKey : '')))

/** What there is, live: found by name and state, sorted, and started or stopped from here. The whole list is a page of its own. */
export function Resources() {
  const [q] = useUrlState('q')
  const [state] = useUrlState('state')
  const [tag] = useUrlState('tag')
  const [host] = useUrlState('host')
  const [sort, setSort] = useUrlState('sort', SORT)
  const { mayChange } = useSession()
  const vms = useVms({ q, state, tag, host, sort })
  const rows = useMemo(() => vms.data?.pages[0]?.items.slice(0, MOST) ?? [], [vms.data])
  useFollowing()
  const sorting = [{ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }]
  const table = useReactTable<ListedVm>({
    data: rows,
    columns: OVERVIEW,
    getRowId: (vm) => vm.id,
    getCoreRowModel: getCoreRowModel(),
    manualSorting: true,
    enableSortingRemoval: false,
    state: { sorting, columnVisibility: { actions: mayChange } },
    onSortingChange: (change) => {
      const [first] = typeof change === 'function' ? change(sorting) : change
      if (first) setSort(`${first.desc ? '-' : ''}${first.id}`)
    },
  })
  const query = new URLSearchParams(Object.entries({ q, state, tag, host }).filter(([, value]) => value)).toString()
  return (
    <section aria-labelledby="resources" className="mb-4">
      <header className="mb-3 flex flex-wrap items-center gap-2">
        <h2 id="resources" className="mr-auto text-lg font-semibold">
          {say('dashboard.resources')}
        </h2>
        <FilterBar />
        <Link href={query ? `/vms?${query}` : '/vms'} className="text-sm text-accent hover:underline">
          {say('do.all')}
        </Link>
      </header>
      {vms.error ? <Failure refused={refused(vms.error)} onRetry={() => void vms.refetch()} /> : null}
      {vms.isPending ? <Loading rows={4} /> : null}
      {vms.data && rows.length === 0 ? <p className="rounded-lg border bg-surface p-4 text-muted">{say('vms.noMatch')}</p> : null}
      {rows.length > 0 ? <DataTable table={table} label={say('dashboard.resources')} total={vms.hasNextPage ? null : (vms.data?.pages[0]?.items.length ?? 0)} /> : null}
    </section>
  )
}
