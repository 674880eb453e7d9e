'use client'

import { CopyPlus, Ellipsis, LayoutTemplate } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { later } from '@/design/later'
import { Menu } from '@/design/menu'
import { useSession } from '@/shell/session'
import { SaveTemplate } from '@/templates/save-template'
import { say } from '@/words/words'

import { useAct } from '../act'
import { refusalOf, VERBS } from '../verbs'

const CloneVm = later(() => import('@/snapshots/clone-vm').then((module) => module.CloneVm))
const FIRST = new Set(['start', 'stop', 'pause', 'resume'])

export function VmActions({ vm }: { vm: VmBody }) {
  const act = useAct()
  const router = useRouter()
  const { mayChange } = useSession()
  const [isSaving, setSaving] = useState(false)
  const [isCloning, setCloning] = useState(false)
  if (!mayChange) return null
  // start/resume and stop/pause share a place: what fits the state is shown, or the first with its reason
  const buttons = VERBS.filter(({ verb }) => FIRST.has(verb)).filter(({ verb }) => refusalOf(vm, verb) === null || verb === 'start' || verb === 'stop')
  return (
    <>
      {buttons.map(({ verb, label, icon: Icon }) => (
        <Button key={verb} size="sm" refusal={refusalOf(vm, verb)} onClick={() => void act(verb, [vm])}>
          <Icon aria-hidden /> {say(label)}
        </Button>
      ))}
      <Menu
        label={say('do.more')}
        trigger={
          <Button size="sm" aria-label={say('vm.more', { name: vm.name })}>
            <Ellipsis aria-hidden />
          </Button>
        }
        entries={[
          { label: say('verb.clone'), icon: <CopyPlus />, refusal: refusalOf(vm, 'clone'), onSelect: () => setCloning(true) },
          { label: say('vm.saveTemplate'), icon: <LayoutTemplate />, onSelect: () => setSaving(true) },
          ...VERBS.filter(({ verb }) => !FIRST.has(verb)).map(({ verb, label, icon: Icon, isDangerous }) => ({
          label: say(label),
          icon: <Icon />,
          isDangerous,
          refusal: refusalOf(vm, verb),
          onSelect: async () => {
            const failed = await act(verb, [vm])
            if (verb === 'delete' && failed?.length === 0) router.push('/vms')
          },
          })),
        ]}
      />
      {isCloning ? <CloneVm vm={vm} onClose={() => setCloning(false)} /> : null}
      {isSaving ? <SaveTemplate vm={vm} onClose={() => setSaving(false)} /> : null}
    </>
  )
}
