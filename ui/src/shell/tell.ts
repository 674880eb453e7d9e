'use client'

import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'

import { refused } from '@/design/refused'
import { toast } from '@/design/toast'

/** `await tell(call, 'Deleted web')`: waits for a call, says that it is done or why not, and has what is shown looked at anew. */
export function useTell() {
  const queries = useQueryClient()
  return useCallback(
    async <T>(call: Promise<T>, done: string | ((answer: T) => void)) => {
      try {
        const answer = await call
        if (typeof done === 'string') toast.success(done)
        else done(answer)
      } catch (thrown) {
        const { error, suggestion } = refused(thrown)
        toast.error(error, { description: suggestion })
      }
      void queries.invalidateQueries()
    },
    [queries],
  )
}
