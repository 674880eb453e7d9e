'use client'

import { Button } from '@/design/button'
import { useOutdated } from '@/route/outdated'
import { say } from '@/words/words'

/** Says that the server has been upgraded under this tab. It is reloaded when the person is ready: a terminal may be open. */
export function NewVersion() {
  if (!useOutdated()) return null
  return (
    <div role="alert" className="flex flex-wrap items-center justify-between gap-2 border-b bg-accent-soft px-4 py-2 sm:px-6">
      <p>{say('shell.newVersion')}</p>
      <Button size="sm" kind="primary" onClick={() => location.reload()}>
        {say('shell.reload')}
      </Button>
    </div>
  )
}
