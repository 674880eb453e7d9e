import type { ReactNode } from 'react'

/** A small table of a machine's devices. */
export function DeviceTable({ label, heads, rows }: { label: string; heads: string[]; rows: { key: string; cells: ReactNode[] }[] }) {
  return (
    <div className="overflow-x-auto rounded-lg border bg-surface">
      <table aria-label={label} className="w-full text-left">
        <thead>
          <tr className="border-b text-sm text-muted">
            {heads.map((head) => (
              <th key={head} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {head === 'Actions' ? <span className="sr-only">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key} className="border-b last:border-0">
              {cells.map((cell, index) => (
                <td key={heads[index]} className="px-3 py-2 whitespace-nowrap">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
