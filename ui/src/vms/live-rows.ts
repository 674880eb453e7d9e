import type { InfiniteData, Query, QueryClient, QueryKey } from '@tanstack/react-query'

import { type VmList, vmsGet } from '@/api'
import { refused } from '@/design/refused'

type Pages = InfiniteData<VmList>

const MOST_ONE_BY_ONE = 20
const REREAD_AFTER_MS = 5000

/** Whether these are the pages of a list that has gone on past its first: `useVms` makes such keys. */
export const isLongList = ({ queryKey, state }: Query) => isPaged(queryKey) && ((state.data as Pages | undefined)?.pages.length ?? 0) > 1

const isPaged = (key: QueryKey) => (key[0] as { _id?: string; pages?: unknown } | undefined)?.pages !== undefined

/** Keeps long lists true: fetching fifty pages for one VM would take seconds, so what changed is fetched alone and put in
 * its place; the whole, with what came and what is sorted otherwise now, is read again a little later. */
export class LiveRows {
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly queries: QueryClient) {}

  close() {
    clearTimeout(this.timer)
  }

  /** VMs of which something was told. */
  async changed(ids: string[]) {
    if (this.queries.getQueryCache().findAll({ predicate: isLongList, type: 'active' }).length === 0) return
    this.timer ??= setTimeout(() => this.reread(), REREAD_AFTER_MS)
    if (ids.length <= MOST_ONE_BY_ONE) await Promise.all(ids.map((id) => this.fetch(id)))
  }

  private async fetch(id: string) {
    try {
      const { data } = await vmsGet({ path: { vm_id: id }, throwOnError: true })
      this.change((items) => items.map((vm) => (vm.id === id ? { ...data.item, usage: vm.usage } : vm)))
    } catch (thrown) {
      if (refused(thrown).status === 404) this.change((items) => items.filter((vm) => vm.id !== id))
      // whatever else it was: the whole list is read again soon, and says so itself
    }
  }

  private change(made: (items: VmList['items']) => VmList['items']) {
    this.queries.setQueriesData<Pages>({ predicate: isLongList }, (data) => data && { ...data, pages: data.pages.map((page) => ({ ...page, items: made(page.items) })) })
  }

  private reread() {
    this.timer = undefined
    void this.queries.invalidateQueries({ predicate: isLongList }, { cancelRefetch: false })
  }
}
