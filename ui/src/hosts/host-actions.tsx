'use client'

import { Ellipsis, Search, ShieldBan, ShieldCheck, Square, Unplug } from 'lucide-react'
import { useRouter } from 'next/navigation'

import { type HostBody, hostsAbandon, hostsCordon, hostsDrain, hostsUncordon } from '@/api'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { Menu } from '@/design/menu'
import { useTell } from '@/shell/tell'

/** What an administrator does with a host. */
export function HostActions({ host }: { host: HostBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const router = useRouter()
  const path = { host_id: host.id }

  const cordon = () =>
    host.is_cordoned
      ? tell(hostsUncordon({ path, throwOnError: true }), `${host.name} takes new VMs again`)
      : tell(hostsCordon({ path, throwOnError: true }), `${host.name} takes no new VMs; those it has go on`)
  const drain = async () => {
    const body = <p>It takes no new VMs, and every VM on it is shut down. Their disks stay; start them again when the host is back.</p>
    if (await confirm({ title: `Drain ${host.name}?`, body, action: 'Stop its VMs', isDangerous: true })) {
      await tell(hostsDrain({ path, body: { stop: true }, throwOnError: true }), `${host.name} is being drained`)
    }
  }
  const abandon = async () => {
    const body = (
      <p>
        For a host that is lost for good. The VMs on it, and their disks, are given up; it may never come back. Make sure that it is switched off: Nexus cannot reach it to
        stop what it runs.
      </p>
    )
    if (await confirm({ title: `Give up ${host.name}?`, body, action: 'Give it up', isDangerous: true, typed: host.name })) {
      await tell(hostsAbandon({ path, body: { name: host.name }, throwOnError: true }), `${host.name} is given up`)
    }
  }
  const isGone = host.state === 'abandoned' ? 'It was given up.' : null
  return (
    <Menu
      label={`What to do with ${host.name}`}
      trigger={
        <Button kind="quiet" size="icon" aria-label={`More for ${host.name}`}>
          <Ellipsis aria-hidden />
        </Button>
      }
      entries={[
        { label: 'Show its VMs', icon: <Search />, onSelect: () => router.push(`/vms?host=${encodeURIComponent(host.name)}`) },
        { label: host.is_cordoned ? 'Uncordon' : 'Cordon', icon: host.is_cordoned ? <ShieldCheck /> : <ShieldBan />, refusal: isGone, onSelect: () => void cordon() },
        { label: 'Drain', icon: <Square />, refusal: isGone, onSelect: () => void drain() },
        { label: 'Give up', icon: <Unplug />, isDangerous: true, refusal: isGone, onSelect: () => void abandon() },
      ]}
    />
  )
}
