'use client'

import { usePathname, useRouter, useSearchParams } from 'next/navigation'
import { useCallback, useSyncExternalStore } from 'react'

const subscribe = () => () => {}

/** False on the server and in the first render of a loaded page, true afterwards. */
export const useHydrated = () => useSyncExternalStore(subscribe, () => true, () => false)

/** The id in a page's address. The exported page was made for the placeholder `_`, so it is known only after hydration. */
export function useRouteId(segment = 1): string | undefined {
  const part = usePathname().split('/').filter(Boolean)[segment]
  return useHydrated() && part !== undefined ? decodeURIComponent(part) : undefined
}

/** One value of the query string as state: `''` when absent. Setting it replaces the entry in the history. */
export function useUrlState(name: string, fallback = ''): [string, (value: string) => void] {
  const params = useSearchParams()
  const set = useUrlChange()
  return [params.get(name) ?? fallback, useCallback((value: string) => set({ [name]: value === fallback ? null : value }), [set, name, fallback])]
}

/** Changes several values of the query string at once; null removes one. */
export function useUrlChange() {
  const router = useRouter()
  return useCallback(
    (changes: Record<string, string | null>) => {
      const params = new URLSearchParams(location.search)
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === '') params.delete(name)
        else params.set(name, value)
      }
      const query = params.toString()
      router.replace(query ? `${location.pathname}?${query}` : location.pathname, { scroll: false })
    },
    [router],
  )
}
