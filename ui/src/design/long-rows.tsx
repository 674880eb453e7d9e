'use client'

import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'

import { ROW_PX } from './data-table'

/** The body of a long table: only the rows in view are there, and empty room above and below them. */
export function LongRows({ count, line }: { count: number; line: (index: number) => ReactNode }) {
  const body = useRef<HTMLTableSectionElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY), [])
  const virtual = useWindowVirtualizer({ count, estimateSize: () => ROW_PX, overscan: 8, scrollMargin: top })
  const shown = virtual.getVirtualItems()
  const [first, last] = [shown[0], shown.at(-1)]
  return (
    <tbody ref={body}>
      {first ? <Gap px={first.start - top} /> : null}
      {shown.map(({ index }) => line(index))}
      {last ? <Gap px={virtual.getTotalSize() - (last.end - top)} /> : null}
    </tbody>
  )
}

function Gap({ px }: { px: number }) {
  return px > 0 ? (
    <tr aria-hidden>
      <td style={{ height: px }} />
    </tr>
  ) : null
}
