'use client'

import { useMutation } from '@tanstack/react-query'
import { Eye, EyeOff } from 'lucide-react'
import Link from 'next/link'

import { type VmBody, vmsGetShell } from '@/api'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { Card, Facts } from '@/design/card'
import { Copy } from '@/design/copy'
import { refused } from '@/design/refused'
import { bytes, mib } from '@/design/size'
import { Moment } from '@/design/time'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { EditVm } from './edit-vm'

export function OverviewTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Card title={say('vm.machine')}>
        <Facts
          of={[
            [say('vm.vcpus'), vm.vcpu],
            [say('vm.memory'), mib(vm.mem_mib)],
            [say('vm.rootDisk'), vm.disk_size_bytes === null ? null : bytes(vm.disk_size_bytes)],
            [say('vm.image'), vm.image],
            [say('vm.kernel'), vm.kernel],
            [say('vm.bootArgs'), vm.boot_args ? <code className="font-mono text-sm">{vm.boot_args}</code> : null],
            [say('vm.afterHostRestart'), vm.restart_policy === 'always' ? say('vm.startsAgain') : say('vm.staysStopped')],
          ]}
        />
      </Card>
      <Card title={say('vm.networkAndHost')}>
        <Facts
          of={[
            [say('vm.address'), vm.guest_ip ? <Value text={vm.guest_ip} label={say('vm.copyAddress')} /> : null],
            [say('vm.mac'), vm.guest_mac ? <Value text={vm.guest_mac} label={say('vm.copyMac')} /> : null],
            [
              say('vm.host'),
              <Link key="host" href="/hosts" prefetch={false} className="text-accent hover:underline">
                {vm.host_name}
              </Link>,
            ],
            [say('vm.guestAgent'), say(`guest.${vm.guest}`)],
            [say('vm.runningSince'), vm.started_at ? <Moment key="started" at={vm.started_at} /> : null],
          ]}
        />
      </Card>
      {mayChange ? <Credentials vm={vm} /> : null}
      <Card title={say('vm.aboutCard')} actions={mayChange ? <EditVm vm={vm} /> : null}>
        <Facts
          of={[
            [say('vm.description'), vm.description],
            [
              say('vm.tags'),
              vm.tags.length ? (
                <span className="flex flex-wrap gap-1">
                  {vm.tags.map((tag) => (
                    <Link key={tag} href={`/vms?tag=${encodeURIComponent(tag)}`} prefetch={false}>
                      <Badge>{tag}</Badge>
                    </Link>
                  ))}
                </span>
              ) : null,
            ],
            [say('vm.environment'), vm.environment],
            [say('vm.owner'), vm.owner],
            [say('vm.created'), <Moment key="created" at={vm.created_at} />],
            [say('vm.changed'), <Moment key="updated" at={vm.updated_at} />],
            [say('vm.id'), <Value key="id" text={vm.id} label={say('vm.copyId')} />],
          ]}
        />
      </Card>
    </div>
  )
}

function Value({ text, label }: { text: string; label: string }) {
  return (
    <span className="-my-1 inline-flex max-w-full items-center gap-1">
      <code className="truncate font-mono text-sm">{text}</code>
      <Copy text={text} label={label} />
    </span>
  )
}

/** The password is fetched once for each time it is revealed, never again by itself: reading it is on record. */
function Credentials({ vm }: { vm: VmBody }) {
  const shell = useMutation({ mutationFn: () => vmsGetShell({ path: { vm_id: vm.id }, throwOnError: true }), gcTime: 0 })
  const isShown = !shell.isIdle
  const password = shell.data?.data.item.password
  const hidden = <span aria-label={say('value.hidden')}>••••••••</span>
  return (
    <Card
      title={say('vm.credentials')}
      actions={
        <Button size="sm" kind="quiet" onClick={() => (isShown ? shell.reset() : shell.mutate())}>
          {isShown ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
          {isShown ? say('do.hide') : say('do.reveal')}
        </Button>
      }
    >
      <Facts
        of={[
          [say('vm.user'), <Value key="user" text={vm.username} label={say('vm.copyUser')} />],
          [say('signIn.password'), password ? <Value key="password" text={password} label={say('vm.copyPassword')} /> : shell.isSuccess ? null : hidden],
          [say('vm.sshKeys'), vm.ssh_authorized_keys.length || null],
        ]}
      />
      {shell.error ? <p className="mt-2 text-bad">{refused(shell.error).error}</p> : null}
    </Card>
  )
}
