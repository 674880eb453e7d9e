'use client'

import { useEffect } from 'react'

import { isOutdatedError } from '@/route/outdated'
import { say } from '@/words/words'

const TRIED = 'nexus.reloaded-for'

/** A file of an older version that is gone after an upgrade: load the new version, once. Anything else is shown. Plain on
 * purpose: it is part of every page's first load, and must not need a file that may be gone. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  const isOutdated = isOutdatedError(error)
  useEffect(() => {
    if (!isOutdated || sessionStorage.getItem(TRIED) === error.message) return
    sessionStorage.setItem(TRIED, error.message)
    location.reload()
  }, [error, isOutdated])
  return (
    <main className="grid justify-items-start gap-2 p-6" role="alert">
      <h1 className="text-lg font-semibold">{say(isOutdated ? 'shell.newVersion' : 'failure.stopped')}</h1>
      {isOutdated ? null : <p className="text-muted">{error.message}</p>}
      <button type="button" className="rounded-md border px-3.5 py-2 font-medium" onClick={isOutdated ? () => location.reload() : reset}>
        {say(isOutdated ? 'shell.reload' : 'do.retry')}
      </button>
    </main>
  )
}
