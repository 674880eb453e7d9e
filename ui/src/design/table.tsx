import type { ReactNode } from 'react'

import { say } from '@/words/words'

export type TableRow = { key: string; cells: ReactNode[] }

/** A table of few rows, all of them shown. A head that is `Actions` is for screen readers only. On a phone each row is a few lines,
 * and on any screen the last cell, where its actions are, is in sight. */
export function Table({ label, heads, rows }: { label: string; heads: string[]; rows: TableRow[] }) {
  return (
    <div className="relative overflow-x-auto rounded-lg border bg-surface">
      <table aria-label={label} className="w-full text-left max-sm:block">
        <thead className="max-sm:sr-only">
          <tr className="border-b text-sm text-muted">
            {heads.map((head) => (
              <th key={head} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {head === say('table.actions') ? <span className="sr-only">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="max-sm:block">
          {rows.map(({ key, cells }) => (
            <tr key={key} className="border-b last:border-0 hover:*:bg-sunken max-sm:flex max-sm:flex-wrap max-sm:items-center max-sm:gap-x-3 max-sm:gap-y-1 max-sm:px-3 max-sm:py-2.5">
              {heads.map((head, index) => (
                <td key={head} className="bg-surface px-3 py-2 whitespace-nowrap last:sticky last:right-0 max-sm:p-0 max-sm:break-words max-sm:whitespace-normal max-sm:first:basis-full max-sm:last:ml-auto max-sm:empty:hidden">
                  {cells[index]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
