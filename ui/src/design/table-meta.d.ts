import '@tanstack/react-table'

import type { Key } from '@/words/words'

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the names must be the library's
  interface ColumnMeta<TData, TValue> {
    className?: string
    /** What the column is called where it is chosen. */
    label?: Key
  }
}
