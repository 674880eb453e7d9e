import type { InfiniteData, Query, QueryClient, QueryKey } from '@tanstack/react-query'

import { type ListedVm, type VmList, vmsGet } from '@/api'
import { refused } from '@/design/refused'

type Pages = InfiniteData<VmList>

const MOST_ONE_BY_ONE = 20
const REREAD_AFTER_MS_A_PAGE = 1000

/** Whether these are the pages of a list that has gone on past its first: `useVms` makes such keys. */
export const isLongList = ({ queryKey, state }: Query) => isPaged(queryKey) && ((state.data as Pages | undefined)?.pages.length ?? 0) > 1

const isPaged = (key: QueryKey) => (key[0] as { _id?: string; pages?: unknown } | undefined)?.pages !== undefined

/** Keeps long lists true: fetching fifty pages for one VM would take seconds, so what changed is fetched alone and put in
 * its place; the whole, with what came and what is sorted otherwise now, is read again later, the longer it is. */
export class LiveRows {
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly queries: QueryClient) {}

  close() {
    clearTimeout(this.timer)
  }

  /** VMs of which something was told. */
  async changed(ids: string[]) {
    const lists = this.queries.getQueryCache().findAll({ predicate: isLongList, type: 'active' })
    if (lists.length === 0) return
    const pages = Math.max(...lists.map(({ state }) => (state.data as Pages).pages.length))
    this.timer ??= setTimeout(() => this.reread(), pages * REREAD_AFTER_MS_A_PAGE)
    if (ids.length <= MOST_ONE_BY_ONE) await Promise.all(ids.map((id) => this.fetch(id)))
  }

  private async fetch(id: string) {
    try {
      const { data } = await vmsGet({ path: { vm_id: id }, throwOnError: true })
      this.change(id, (vm) => [{ ...data.item, usage: vm.usage }])
    } catch (thrown) {
      if (refused(thrown).status === 404) this.change(id, () => [])
      // whatever else it was: the whole list is read again soon, and says so itself
    }
  }

  private change(id: string, made: (vm: ListedVm) => ListedVm[]) {
    const changed = (page: VmList) => (page.items.some((vm) => vm.id === id) ? { ...page, items: page.items.flatMap((vm) => (vm.id === id ? made(vm) : [vm])) } : page)
    this.queries.setQueriesData<Pages>({ predicate: isLongList }, (data) => data && { ...data, pages: data.pages.map(changed) })
  }

  private reread() {
    this.timer = undefined
    void this.queries.invalidateQueries({ predicate: isLongList }, { cancelRefetch: false })
  }
}
