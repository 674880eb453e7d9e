'use client'

import { useQueryClient } from '@tanstack/react-query'

import { toast } from '@/design/toast'

/** What a recorded wish leads to: a word of it, everything looked at anew, and the dialog gone. */
export function useRecorded(told: string, onClose: () => void) {
  const queries = useQueryClient()
  return () => {
    void queries.invalidateQueries()
    toast.success(told)
    onClose()
  }
}
