'use client'

import { getCoreRowModel, type RowSelectionState, useReactTable, type VisibilityState } from '@tanstack/react-table'
import { Boxes, CirclePlus, Columns3, LayoutGrid, List } from 'lucide-react'
import Link from 'next/link'
import { useMemo, useState } from 'react'

import type { ListedVm } from '@/api'
import { Button } from '@/design/button'
import { DataTable } from '@/design/data-table'
import { later } from '@/design/later'
import { Menu } from '@/design/menu'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { useUrlChange, useUrlState } from '@/route/route'
import { useNearEnd } from '@/route/near-end'
import { useKept } from '@/settings/kept'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { COLUMNS } from './columns'
import { FilterBar } from './filter-bar'
import { useVms } from './list-query'
import { useFollowing } from './usage'

const BulkBar = later(() => import('./bulk-bar').then((module) => module.BulkBar))
const VmCards = later(() => import('./vm-cards').then((module) => module.VmCards))

const SORT = '-created_at'

export function VmList() {
  const [q] = useUrlState('q')
  const [state] = useUrlState('state')
  const [tag] = useUrlState('tag')
  const [host] = useUrlState('host')
  const [sort, setSort] = useUrlState('sort', SORT)
  const [view, setView] = useUrlState('view', 'table')
  const [hidden, setHidden] = useKept<VisibilityState>('vms.columns', { image: false })
  const [chosen, setChosen] = useState<RowSelectionState>({})
  const { mayChange } = useSession()
  const vms = useVms({ q, state, tag, host, sort })
  const rows = useMemo(() => vms.data?.pages.flatMap((page) => page.items) ?? [], [vms.data])
  const isFiltered = Boolean(q || state || tag || host)
  useFollowing()
  useNearEnd(() => void (vms.hasNextPage && !vms.isFetching && vms.fetchNextPage()))

  const table = useReactTable<ListedVm>({
    data: rows,
    columns: COLUMNS,
    getRowId: (vm) => vm.id,
    getCoreRowModel: getCoreRowModel(),
    manualSorting: true,
    enableSortingRemoval: false,
    state: {
      rowSelection: chosen,
      columnVisibility: { ...hidden, select: mayChange, actions: mayChange },
      sorting: [{ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }],
    },
    onRowSelectionChange: setChosen,
    onColumnVisibilityChange: (change) => setHidden(typeof change === 'function' ? change(hidden) : change),
    onSortingChange: (change) => {
      const [first] = typeof change === 'function' ? change([{ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }]) : change
      if (first) setSort(`${first.desc ? '-' : ''}${first.id}`)
    },
  })

  return (
    <>
      <PageHead title={say('place.vms')} actions={mayChange ? <CreateButton /> : null} />
      <div className="mb-4 flex flex-wrap items-center gap-2">
        <FilterBar />
        <span className="ml-auto flex gap-1">
          <Menu
            label={say('list.columns')}
            trigger={
              <Button kind="quiet" size="sm">
                <Columns3 aria-hidden /> {say('list.columns')}
              </Button>
            }
            entries={table
              .getAllLeafColumns()
              .filter((column) => column.getCanHide())
              .map((column) => ({
                label: say(column.getIsVisible() ? 'list.hide' : 'list.show', { what: say(column.columnDef.meta?.label ?? 'vm.name') }),
                onSelect: () => column.toggleVisibility(),
              }))}
          />
          <Button kind="quiet" size="icon" aria-label={say('list.asTable')} aria-pressed={view === 'table'} onClick={() => setView('table')}>
            <List aria-hidden />
          </Button>
          <Button kind="quiet" size="icon" aria-label={say('list.asCards')} aria-pressed={view === 'cards'} onClick={() => setView('cards')}>
            <LayoutGrid aria-hidden />
          </Button>
        </span>
      </div>
      {vms.error ? <Failure refused={refused(vms.error)} onRetry={() => void vms.refetch()} /> : null}
      {vms.isPending ? <Loading rows={8} /> : null}
      {vms.data && rows.length === 0 ? <NoVms isFiltered={isFiltered} mayChange={mayChange} /> : null}
      {rows.length > 0 && view === 'table' ? <DataTable table={table} label={say('place.vms')} total={vms.hasNextPage ? null : rows.length} /> : null}
      {rows.length > 0 && view === 'cards' ? <VmCards vms={rows} /> : null}
      <BulkBar chosen={rows.filter((vm) => chosen[vm.id])} onClear={() => setChosen({})} />
    </>
  )
}

function CreateButton() {
  return (
    <Button kind="primary" asChild>
      <Link href="/vms/create">
        <CirclePlus aria-hidden /> {say('vms.create')}
      </Link>
    </Button>
  )
}

function NoVms({ isFiltered, mayChange }: { isFiltered: boolean; mayChange: boolean }) {
  const change = useUrlChange()
  if (isFiltered) {
    return (
      <Empty icon={<Boxes />} title={say('vms.noMatch')} action={<Button onClick={() => change({ q: null, state: null, tag: null, host: null })}>{say('list.showAll')}</Button>}>
        {say('vms.noMatchHint')}
      </Empty>
    )
  }
  return (
    <Empty icon={<Boxes />} title={say('vms.empty')} action={mayChange ? <CreateButton /> : null}>
      {say('vms.emptyHint')}
    </Empty>
  )
}
