import '@tanstack/react-table'

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the names must be the library's
  interface ColumnMeta<TData, TValue> {
    className?: string
    /** What the column is called where it is chosen; its header otherwise. */
    label?: string
  }
}
