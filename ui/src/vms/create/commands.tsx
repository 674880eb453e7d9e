'use client'

import { Copy } from '@/design/copy'
import { say } from '@/words/words'

/** The same for a terminal, to be copied. */
export function Commands({ cli, curl }: { cli: string; curl: string }) {
  const commands: [label: string, command: string][] = [
    [say('create.cli'), cli],
    [say('create.curl'), curl],
  ]
  return commands.map(([label, command]) => (
    <div key={label}>
      <p className="text-sm text-muted">{say('create.sameAs', { what: label })}</p>
      <div className="flex items-start gap-2 rounded-md border bg-sunken p-2.5">
        <code className="min-w-0 flex-1 font-mono text-xs break-all">{command}</code>
        <Copy text={command} label={say('create.copyCommand', { what: label })} />
      </div>
    </div>
  ))
}
