import type { ReactNode } from 'react'

import { say } from '@/words/words'

export type TableRow = { key: string; cells: ReactNode[] }

/** A table of few rows, all of them shown. A head that is `Actions` is for screen readers only. */
export function Table({ label, heads, rows }: { label: string; heads: string[]; rows: TableRow[] }) {
  return (
    <div className="relative overflow-x-auto rounded-lg border bg-surface">
      <table aria-label={label} className="w-full text-left">
        <thead>
          <tr className="border-b text-sm text-muted">
            {heads.map((head) => (
              <th key={head} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {head === say('table.actions') ? <span className="sr-only">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key} className="border-b last:border-0 hover:bg-sunken/60">
              {heads.map((head, index) => (
                <td key={head} className="px-3 py-2 whitespace-nowrap">
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
