'use client'

import { type ColumnDef, createColumnHelper } from '@tanstack/react-table'
import Link from 'next/link'

import type { ListedVm } from '@/api'
import { Badge } from '@/design/badge'
import { Nothing } from '@/design/card'
import { Checkmark } from '@/design/checkmark'
import { mib } from '@/design/size'
import { Ago } from '@/design/time'
import { say } from '@/words/words'

import { RowActions } from './row-actions'
import { StateBadge } from './state-badge'
import { UseCell } from './use-cell'

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
        label={say('vm.chooseAll')}
        isOn={table.getIsAllRowsSelected()}
        isMixed={table.getIsSomeRowsSelected()}
        onChange={table.getToggleAllRowsSelectedHandler()}
      />
    ),
    cell: ({ row }) => <Checkmark label={say('vm.choose', { name: row.original.name })} isOn={row.getIsSelected()} onChange={row.getToggleSelectedHandler()} />,
  }),
  column.accessor('name', {
    header: () => say('vm.name'), meta: { label: 'vm.name' },
    enableHiding: false,
    cell: ({ row: { original: vm } }) => (
      <Link href={`/vms/${vm.id}`} prefetch={false} className="font-medium hover:underline">
        {vm.name}
      </Link>
    ),
  }),
  column.accessor('state', {
    header: () => say('vm.state'), meta: { label: 'vm.state' },
    cell: ({ row: { original: vm } }) => (
      <span title={vm.fault ?? vm.why ?? undefined}>
        <StateBadge state={vm.state} guest={vm.guest} />
      </span>
    ),
  }),
  column.accessor('vcpu', { header: () => say('vm.vcpus'), meta: { label: 'vm.vcpus', className: 'tabular text-right' } }),
  column.accessor('mem_mib', { header: () => say('vm.memory'), meta: { label: 'vm.memory', className: 'tabular text-right' }, cell: ({ getValue }) => mib(getValue()) }),
  column.accessor((vm) => vm.usage?.cpu_usage_percent, {
    id: 'cpu',
    header: () => say('vm.cpu'), meta: { label: 'vm.cpu', className: 'tabular text-right' },
    sortDescFirst: true,
    cell: ({ row }) => <UseCell vm={row.original} of="cpu" />,
  }),
  column.accessor((vm) => vm.usage?.memory_usage_percent, {
    id: 'memory',
    header: () => say('vm.memoryUsed'), meta: { label: 'vm.memoryUsed', className: 'tabular text-right' },
    sortDescFirst: true,
    cell: ({ row }) => <UseCell vm={row.original} of="memory" />,
  }),
  column.accessor('guest_ip', {
    header: () => say('vm.address'), meta: { label: 'vm.address' },
    enableSorting: false,
    cell: ({ getValue }) => (getValue() ? <span className="font-mono text-sm">{getValue()}</span> : <Nothing />),
  }),
  column.accessor('image', { header: () => say('vm.image'), meta: { label: 'vm.image' }, enableSorting: false }),
  column.accessor('host_name', { id: 'host', header: () => say('vm.host'), meta: { label: 'vm.host' }, enableSorting: false }),
  column.accessor('tags', {
    header: () => say('vm.tags'), meta: { label: 'vm.tags' },
    enableSorting: false,
    cell: ({ getValue }) => (getValue().length ? <span className="flex gap-1">{(getValue() as string[]).map((tag) => <Badge key={tag}>{tag}</Badge>)}</span> : <Nothing />),
  }),
  column.accessor('created_at', { header: () => say('vm.created'), meta: { label: 'vm.created' }, cell: ({ getValue }) => <Ago at={getValue()} className="text-muted" /> }),
  column.display({
    id: 'actions',
    enableSorting: false,
    enableHiding: false,
    meta: { className: 'sticky right-0 w-24 bg-surface text-right' },
    header: () => <span className="sr-only">{say('table.actions')}</span>,
    cell: ({ row }) => <RowActions vm={row.original} />,
  }),
]
