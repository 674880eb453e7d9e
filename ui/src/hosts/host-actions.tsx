'use client'

import { Ellipsis, Search, ShieldBan, ShieldCheck, Square, Unplug } from 'lucide-react'
import { useRouter } from 'next/navigation'

import { type HostBody, hostsAbandon, hostsCordon, hostsDrain, hostsUncordon } from '@/api'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { Menu } from '@/design/menu'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

/** What an administrator does with a host. */
export function HostActions({ host }: { host: HostBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const router = useRouter()
  const path = { host_id: host.id }

  const cordon = () =>
    host.is_cordoned
      ? tell(hostsUncordon({ path, throwOnError: true }), say('host.uncordoned', { name: host.name }))
      : tell(hostsCordon({ path, throwOnError: true }), say('host.nowCordoned', { name: host.name }))
  const drain = async () => {
    const body = <p>{say('host.drainLost')}</p>
    if (await confirm({ title: say('host.drainTitle', { name: host.name }), body, action: say('host.drainDo'), isDangerous: true })) {
      await tell(hostsDrain({ path, body: { stop: true }, throwOnError: true }), say('host.draining', { name: host.name }))
    }
  }
  const abandon = async () => {
    const body = <p>{say('host.giveUpLost')}</p>
    if (await confirm({ title: say('host.giveUpTitle', { name: host.name }), body, action: say('host.giveUp'), isDangerous: true, typed: host.name })) {
      await tell(hostsAbandon({ path, body: { name: host.name }, throwOnError: true }), say('host.givenUp', { name: host.name }))
    }
  }
  const isGone = host.state === 'abandoned' ? say('host.isGone') : null
  return (
    <Menu
      label={say('vm.whatToDo', { name: host.name })}
      trigger={
        <Button kind="quiet" size="icon" aria-label={say('vm.more', { name: host.name })}>
          <Ellipsis aria-hidden />
        </Button>
      }
      entries={[
        { label: say('host.showVms'), icon: <Search />, onSelect: () => router.push(`/vms?host=${encodeURIComponent(host.name)}`) },
        { label: host.is_cordoned ? say('host.uncordon') : say('host.cordon'), icon: host.is_cordoned ? <ShieldCheck /> : <ShieldBan />, refusal: isGone, onSelect: () => void cordon() },
        { label: say('host.drain'), icon: <Square />, refusal: isGone, onSelect: () => void drain() },
        { label: say('host.giveUp'), icon: <Unplug />, isDangerous: true, refusal: isGone, onSelect: () => void abandon() },
      ]}
    />
  )
}
