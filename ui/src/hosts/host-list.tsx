'use client'

import { useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleHelp, CirclePlus, Server, ShieldBan } from 'lucide-react'
import { useState } from 'react'

import type { HostBody } from '@/api'
import { hostsListOptions } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { Card, Facts } from '@/design/card'
import { Meter } from '@/design/meter'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { bytes, mib } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Ago } from '@/design/time'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

import { HostActions } from './host-actions'
import { JoinHost } from './join-host'

const EVERY_MS = 10_000

export function HostList() {
  const { isAdmin } = useSession()
  const hosts = useQuery({ ...hostsListOptions({ query: { limit: 500, sort: 'name' } }), refetchInterval: EVERY_MS })
  const [isJoining, setJoining] = useState(false)
  return (
    <>
      <PageHead
        title={say('place.hosts')}
        below={say('hosts.below')}
        actions={
          isAdmin ? (
            <Button kind="primary" onClick={() => setJoining(true)}>
              <CirclePlus aria-hidden /> {say('host.add')}
            </Button>
          ) : null
        }
      />
      {hosts.error ? <Failure refused={refused(hosts.error)} onRetry={() => void hosts.refetch()} /> : null}
      {hosts.isPending ? <Loading rows={3} /> : null}
      {hosts.data?.items.length === 0 ? <Empty icon={<Server />} title={say('hosts.none')}>
          {say('hosts.noneHint')}
        </Empty> : null}
      <ul className="grid gap-4 xl:grid-cols-2">
        {hosts.data?.items.map((host) => (
          <li key={host.id}>
            <HostCard host={host} isAdmin={isAdmin} />
          </li>
        ))}
      </ul>
      {isJoining ? <JoinHost onClose={() => setJoining(false)} /> : null}
    </>
  )
}

function HostCard({ host, isAdmin }: { host: HostBody; isAdmin: boolean }) {
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2">
          {host.name}
          {host.state === 'online' ? (
            <Badge tone="ok">
              <CircleCheck aria-hidden /> {say('host.state.online')}
            </Badge>
          ) : (
            <Badge tone={host.state === 'abandoned' ? 'bad' : 'unsure'}>
              <CircleHelp aria-hidden /> {say(`host.state.${host.state}`)}
            </Badge>
          )}
          {host.is_cordoned ? (
            <Badge tone="warn">
              <ShieldBan aria-hidden /> {say('host.cordoned')}
            </Badge>
          ) : null}
        </span>
      }
      actions={isAdmin ? <HostActions host={host} /> : null}
    >
      <div className="grid gap-4">
        {host.usage ? (
          <div className="grid gap-2">
            <Meter label={say('vm.cpu')} value={host.usage.cpu_percent} of={100} words={say('host.ofCpus', { percent: host.usage.cpu_percent.toFixed(0), count: host.vcpus })} />
            <Meter label={say('vm.memory')} value={host.usage.memory_used_mib} of={host.memory_mib} words={say('host.of', { used: mib(host.usage.memory_used_mib), all: mib(host.memory_mib) })} />
            <Meter label={say('create.disk')} value={host.usage.disk_used_bytes} of={host.disk_bytes} words={say('host.of', { used: bytes(host.usage.disk_used_bytes), all: bytes(host.disk_bytes) })} />
          </div>
        ) : null}
        <Facts
          of={[
            [say('host.hypervisor'), `${host.vmm} ${host.vmm_version} (${host.acceleration})`],
            [say('host.why'), host.why_vmm],
            [say('host.canAlso'), host.offers.length ? host.offers.join(', ').replaceAll('_', ' ') : null],
            [say('host.agent'), host.agent_version],
            [say('vm.address'), <code key="address" className="font-mono text-sm">{host.address}</code>],
            [say('host.lastHeard'), <Ago key="seen" at={host.last_seen_at} />],
          ]}
        />
      </div>
    </Card>
  )
}
