'use client'

import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'

import { type State, type VmsListData, vmsList } from '@/api'

const PAGE = 200

/** `state` may be several, separated by commas. */
export type Filters = { q: string; state: string; tag: string; host: string; sort: string }

/** VMs as the server filters and sorts them, page after page. The key begins like the generated ones, for events. */
export function useVms({ q, state, tag, host, sort }: Filters) {
  const query: VmsListData['query'] = {
    limit: PAGE,
    q: q || undefined,
    state: state ? (state.split(',') as State[]) : undefined,
    tag: tag ? [tag] : undefined,
    host: host || undefined,
    sort: sort || undefined,
  }
  return useInfiniteQuery({
    queryKey: [{ _id: 'vmsList', pages: query }],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await vmsList({ query: { ...query, cursor: pageParam }, signal, throwOnError: true })
      return data
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  })
}
