'use client'

import { useEffect } from 'react'

import { isOutdatedError } from '@/route/outdated'

const TRIED = 'nexus.reloaded-for'

/** A file of an older version that is gone after an upgrade: load the new version, once. Anything else is shown. Plain, and in
 * English, on purpose: it is part of every page's first load, and must not need a file that may be gone. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  const isOutdated = isOutdatedError(error)
  useEffect(() => {
    if (!isOutdated || sessionStorage.getItem(TRIED) === error.message) return
    sessionStorage.setItem(TRIED, error.message)
    location.reload()
  }, [error, isOutdated])
  return (
    <main className="grid justify-items-start gap-2 p-6" role="alert">
      <h1 className="text-lg font-semibold">{isOutdated ? 'Nexus has been upgraded.' : 'This page has stopped working.'}</h1>
      {isOutdated ? null : <p className="text-muted">{error.message}</p>}
      <button type="button" className="rounded-md border px-3.5 py-2 font-medium" onClick={isOutdated ? () => location.reload() : reset}>
        {isOutdated ? 'Reload' : 'Try again'}
      </button>
    </main>
  )
}
