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

import { EditVm } from './edit-vm'

export function OverviewTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Card title="Machine">
        <Facts
          of={[
            ['vCPUs', vm.vcpu],
            ['Memory', mib(vm.mem_mib)],
            ['Root disk', vm.disk_size_bytes === null ? null : bytes(vm.disk_size_bytes)],
            ['Image', vm.image],
            ['Kernel', vm.kernel],
            ['Boot arguments', vm.boot_args ? <code className="font-mono text-sm">{vm.boot_args}</code> : null],
            ['After a host restart', vm.restart_policy === 'always' ? 'starts again' : 'stays stopped'],
          ]}
        />
      </Card>
      <Card title="Network and host">
        <Facts
          of={[
            ['Address', vm.guest_ip ? <Value text={vm.guest_ip} label="Copy the address" /> : null],
            ['MAC', vm.guest_mac ? <Value text={vm.guest_mac} label="Copy the MAC" /> : null],
            [
              'Host',
              <Link key="host" href="/hosts" prefetch={false} className="text-accent hover:underline">
                {vm.host_name}
              </Link>,
            ],
            ['Guest agent', vm.guest],
            ['Running since', <Moment key="started" at={vm.started_at} />],
          ]}
        />
      </Card>
      {mayChange ? <Credentials vm={vm} /> : null}
      <Card title="About" actions={mayChange ? <EditVm vm={vm} /> : null}>
        <Facts
          of={[
            ['Description', vm.description],
            [
              'Tags',
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
            ['Environment', vm.environment],
            ['Owner', vm.owner],
            ['Created', <Moment key="created" at={vm.created_at} />],
            ['Changed', <Moment key="updated" at={vm.updated_at} />],
            ['Id', <Value key="id" text={vm.id} label="Copy the id" />],
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
  const hidden = <span aria-label="hidden">••••••••</span>
  return (
    <Card
      title="Credentials"
      actions={
        <Button size="sm" kind="quiet" onClick={() => (isShown ? shell.reset() : shell.mutate())}>
          {isShown ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
          {isShown ? 'Hide' : 'Reveal'}
        </Button>
      }
    >
      <Facts
        of={[
          ['User', <Value key="user" text={vm.username} label="Copy the user name" />],
          ['Password', password ? <Value key="password" text={password} label="Copy the password" /> : shell.isSuccess ? null : hidden],
          ['SSH keys', vm.ssh_authorized_keys.length || null],
        ]}
      />
      {shell.error ? <p className="mt-2 text-bad">{refused(shell.error).error}</p> : null}
    </Card>
  )
}
