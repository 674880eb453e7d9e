'use client'

import { useEffect } from 'react'

import { Failure } from '@/design/states'

const TRIED = 'nexus.reloaded-for'

/** A file of an older version that is gone after an upgrade: load the new version, once. Anything else is shown. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  const isOutdated = error.name === 'ChunkLoadError' || /loading chunk|dynamically imported module/i.test(error.message)
  useEffect(() => {
    if (!isOutdated || sessionStorage.getItem(TRIED) === error.message) return
    sessionStorage.setItem(TRIED, error.message)
    location.reload()
  }, [error, isOutdated])
  return (
    <main className="p-6">
      <Failure refused={{ error: 'This page has stopped working.', suggestion: error.message }} onRetry={reset} />
    </main>
  )
}
