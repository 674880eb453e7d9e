'use client'

import { type ColumnDef, createColumnHelper } from '@tanstack/react-table'
import Link from 'next/link'

import type { ListedVm } from '@/api'
import { Badge } from '@/design/badge'
import { Nothing } from '@/design/card'
import { Checkmark } from '@/design/checkmark'
import { mib } from '@/design/size'
import { Ago } from '@/design/time'

import { RowActions } from './row-actions'
import { StateBadge } from './state-badge'

const column = createColumnHelper<ListedVm>()

/** The columns of the list. Those that can be sorted have the server's name of the sort as their id. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- columns of different values in one list
export const COLUMNS: ColumnDef<ListedVm, any>[] = [
  column.display({
    id: 'select',
    enableSorting: false,
    enableHiding: false,
    meta: { className: 'w-9' },
    header: ({ table }) => (
      <Checkmark
        label="Choose all that are shown"
        isOn={table.getIsAllRowsSelected()}
        isMixed={table.getIsSomeRowsSelected()}
        onChange={table.getToggleAllRowsSelectedHandler()}
      />
    ),
    cell: ({ row }) => <Checkmark label={`Choose ${row.original.name}`} isOn={row.getIsSelected()} onChange={row.getToggleSelectedHandler()} />,
  }),
  column.accessor('name', {
    header: 'Name',
    enableHiding: false,
    cell: ({ row: { original: vm } }) => (
      <Link href={`/vms/${vm.id}`} prefetch={false} className="font-medium hover:underline">
        {vm.name}
      </Link>
    ),
  }),
  column.accessor('state', {
    header: 'State',
    cell: ({ row: { original: vm } }) => (
      <span title={vm.fault ?? vm.why ?? undefined}>
        <StateBadge state={vm.state} guest={vm.guest} />
      </span>
    ),
  }),
  column.accessor('vcpu', { header: 'vCPUs', meta: { className: 'tabular text-right' } }),
  column.accessor('mem_mib', { header: 'Memory', meta: { className: 'tabular text-right' }, cell: ({ getValue }) => mib(getValue()) }),
  column.accessor((vm) => vm.usage?.cpu_usage_percent, {
    id: 'cpu',
    header: 'CPU',
    sortDescFirst: true,
    meta: { className: 'tabular text-right' },
    cell: ({ getValue }) => <Percent of={getValue()} />,
  }),
  column.accessor((vm) => vm.usage?.memory_usage_percent, {
    id: 'memory',
    header: 'Memory used',
    sortDescFirst: true,
    meta: { className: 'tabular text-right' },
    cell: ({ getValue }) => <Percent of={getValue()} />,
  }),
  column.accessor('guest_ip', {
    header: 'Address',
    enableSorting: false,
    cell: ({ getValue }) => (getValue() ? <span className="font-mono text-sm">{getValue()}</span> : <Nothing />),
  }),
  column.accessor('image', { header: 'Image', enableSorting: false }),
  column.accessor('host_name', { id: 'host', header: 'Host', enableSorting: false, meta: { label: 'Host' } }),
  column.accessor('tags', {
    header: 'Tags',
    enableSorting: false,
    cell: ({ getValue }) => (getValue().length ? <span className="flex gap-1">{(getValue() as string[]).map((tag) => <Badge key={tag}>{tag}</Badge>)}</span> : <Nothing />),
  }),
  column.accessor('created_at', { header: 'Created', cell: ({ getValue }) => <Ago at={getValue()} className="text-muted" /> }),
  column.display({
    id: 'actions',
    enableSorting: false,
    enableHiding: false,
    meta: { className: 'w-24 text-right' },
    header: () => <span className="sr-only">Actions</span>,
    cell: ({ row }) => <RowActions vm={row.original} />,
  }),
]

function Percent({ of }: { of: number | null | undefined }) {
  return of === null || of === undefined ? <Nothing /> : <>{of.toFixed(of < 10 ? 1 : 0)} %</>
}
