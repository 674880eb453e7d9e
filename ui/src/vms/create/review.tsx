'use client'

import { Button } from '@/design/button'
import { Facts } from '@/design/card'
import { mib } from '@/design/size'
import { say } from '@/words/words'

import { cliOf } from './cli'
import { Commands } from './commands'
import { curlOf } from './draft'
import type { StepProps } from './steps'

/** What will be created, and the same for a terminal. */
export function Review({ draft, onGo }: StepProps) {
  const parts: [step: string, label: string, facts: [string, string | number][]][] = [
    [
      'basics',
      say('create.basics'),
      [
        [say('vm.name'), draft.name],
        [say('vm.description'), draft.description],
        [say('vm.environment'), draft.environment],
        [say('vm.owner'), draft.owner],
        [say('vm.tags'), draft.tags],
      ],
    ],
    [
      'sign-in',
      say('create.signIn'),
      [
        [say('vm.user'), draft.username],
        [say('signIn.password'), draft.password ? say('create.passwordEntered') : say('create.passwordMadeUp')],
        [say('vm.sshKeys'), draft.sshKeys.length || ''],
      ],
    ],
    [
      'machine',
      say('vm.machine'),
      [
        [say('vm.vcpus'), draft.vcpu],
        [say('vm.memory'), mib(Number(draft.memMib))],
        [say('create.disk'), draft.diskGib ? `${draft.diskGib} GiB` : say('create.default')],
        [say('vm.afterHostRestart'), draft.restartAlways ? say('vm.startsAgain') : say('vm.staysStopped')],
      ],
    ],
    [
      'boot',
      say('config.boot'),
      [
        [say('create.rootfs'), draft.image || say('create.default')],
        [say('vm.kernel'), draft.kernel || say('create.default')],
        [say('vm.bootArgs'), draft.bootArgs],
        [say('create.start'), draft.start ? say('create.atOnce') : say('create.later')],
      ],
    ],
  ]
  return (
    <>
      <div className="grid gap-5 sm:grid-cols-2">
        {parts.map(([step, label, facts]) => (
          <section key={step} aria-label={label}>
            <h3 className="mb-1 flex items-center justify-between font-semibold">
              {label}
              <Button kind="quiet" size="sm" aria-label={say('create.edit', { what: label })} onClick={() => onGo(step)}>
                {say('do.edit')}
              </Button>
            </h3>
            <Facts of={facts} />
          </section>
        ))}
      </div>
      <Commands cli={cliOf(draft)} curl={curlOf(draft, location.origin)} />
    </>
  )
}
