'use client'

import { Button } from '@/design/button'
import { Facts } from '@/design/card'
import { Copy } from '@/design/copy'
import { mib } from '@/design/size'

import { cliOf } from './cli'
import { curlOf } from './draft'
import type { StepProps } from './steps'

/** What will be created, and the same for a terminal. */
export function Review({ draft, onGo }: StepProps) {
  const parts: [step: string, label: string, facts: [string, string | number][]][] = [
    ['basics', 'Basics', [['Name', draft.name], ['Description', draft.description], ['Environment', draft.environment], ['Owner', draft.owner], ['Tags', draft.tags]]],
    ['sign-in', 'Sign-in', [['User', draft.username], ['Password', draft.password ? 'as entered' : 'will be generated'], ['SSH keys', draft.sshKeys.length || '']]],
    [
      'machine',
      'Machine',
      [
        ['vCPUs', draft.vcpu],
        ['Memory', mib(Number(draft.memMib))],
        ['Disk', draft.diskGib ? `${draft.diskGib} GiB` : 'default'],
        ['Host restart', draft.restartAlways ? 'starts again' : 'stays stopped'],
      ],
    ],
    ['boot', 'Boot', [['Root file system', draft.image || 'default'], ['Kernel', draft.kernel || 'default'], ['Boot arguments', draft.bootArgs], ['Start', draft.start ? 'at once' : 'later']]],
  ]
  const commands: [string, string][] = [
    ['nexus command', cliOf(draft)],
    ['curl command', curlOf(draft, location.origin)],
  ]
  return (
    <>
      <div className="grid gap-5 sm:grid-cols-2">
        {parts.map(([step, label, facts]) => (
          <section key={step} aria-label={label}>
            <h3 className="mb-1 flex items-center justify-between font-semibold">
              {label}
              <Button kind="quiet" size="sm" aria-label={`Edit ${label}`} onClick={() => onGo(step)}>
                Edit
              </Button>
            </h3>
            <Facts of={facts} />
          </section>
        ))}
      </div>
      {commands.map(([label, command]) => (
        <div key={label}>
          <p className="text-sm text-muted">The same as a {label}</p>
          <div className="flex items-start gap-2 rounded-md border bg-sunken p-2.5">
            <code className="min-w-0 flex-1 font-mono text-xs break-all">{command}</code>
            <Copy text={command} label={`Copy the ${label}`} />
          </div>
        </div>
      ))}
    </>
  )
}
