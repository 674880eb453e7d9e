'use client'

import { flexRender, type Table as Model, type Row } from '@tanstack/react-table'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { memo, type ReactNode } from 'react'

import { cn } from './cn'
import { later } from './later'

export const ROW_PX = 45
const MOST_PLAIN_ROWS = 60

const LongRows = later(() => import('./long-rows').then((module) => module.LongRows))

/** A table that scrolls with the page. Long ones hold only the rows in view. Sorting is told by `aria-sort`; `total` is null while nobody knows how many there are. */
export function DataTable<T>({ table, label, total }: { table: Model<T>; label: string; total: number | null }) {
  const rows = table.getRowModel().rows
  const shape = table.getVisibleLeafColumns().map(({ id }) => id).join()
  const line = (index: number): ReactNode => {
    const row = rows[index]!
    return <SameLine key={row.id} row={row} index={index} isSelected={row.getIsSelected()} shape={shape} />
  }
  return (
    <div className="relative overflow-x-auto rounded-lg border bg-surface">
      <table aria-label={label} aria-rowcount={total === null ? -1 : total + 1} className="w-full border-collapse text-left">
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1} className="border-b">
              {group.headers.map((header) => (
                <Head key={header.id} header={header} />
              ))}
            </tr>
          ))}
        </thead>
        {rows.length > MOST_PLAIN_ROWS ? <LongRows count={rows.length} line={line} /> : <tbody>{rows.map((_, index) => line(index))}</tbody>}
      </table>
    </div>
  )
}

const SORTS = { asc: 'ascending', desc: 'descending' } as const

function Head<T>({ header }: { header: ReturnType<Model<T>['getHeaderGroups']>[number]['headers'][number] }) {
  const { column } = header
  const sorted = column.getIsSorted()
  const content = flexRender(column.columnDef.header, header.getContext())
  return (
    <th
      scope="col"
      aria-sort={column.getCanSort() ? (sorted ? SORTS[sorted] : 'none') : undefined}
      className={cn('px-3 py-2 text-sm font-medium whitespace-nowrap text-muted', column.columnDef.meta?.className)}
    >
      {column.getCanSort() ? (
        <button type="button" className="inline-flex items-center gap-1 rounded-sm hover:text-text" onClick={column.getToggleSortingHandler()}>
          {content}
          {sorted === 'asc' ? <ArrowUp aria-hidden className="size-3.5" /> : null}
          {sorted === 'desc' ? <ArrowDown aria-hidden className="size-3.5" /> : null}
        </button>
      ) : (
        content
      )}
    </th>
  )
}

type LineProps<T> = { row: Row<T>; index: number; isSelected: boolean; /** The columns that are shown. */ shape: string }

function Line<T>({ row, index, isSelected }: LineProps<T>) {
  return (
    <tr aria-rowindex={index + 2} aria-selected={isSelected || undefined} style={{ height: ROW_PX }} className="border-b last:border-0 hover:bg-sunken/60 aria-selected:bg-accent-soft/50">
      {row.getVisibleCells().map((cell) => (
        <td key={cell.id} className={cn('px-3 py-1.5 whitespace-nowrap', cell.column.columnDef.meta?.className)}>
          {flexRender(cell.column.columnDef.cell, cell.getContext())}
        </td>
      ))}
    </tr>
  )
}

/** Drawn anew only when what it shows has changed: a list that scrolls or hears of one row has many others. */
const SameLine = memo(
  Line,
  (before, after) => before.row.original === after.row.original && before.index === after.index && before.isSelected === after.isSelected && before.shape === after.shape,
) as typeof Line
