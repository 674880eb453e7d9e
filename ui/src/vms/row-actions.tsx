'use client'

import { CopyPlus, Ellipsis, Play, Square } from 'lucide-react'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { later } from '@/design/later'
import { Menu } from '@/design/menu'
import { say } from '@/words/words'

import { useAct } from './act'
import { refusalOf, VERBS } from './verbs'

const CloneVm = later(() => import('@/snapshots/clone-vm').then((module) => module.CloneVm))

/** The likeliest verb as a button, all others in a menu; those refused say why. */
export function RowActions({ vm }: { vm: VmBody }) {
  const act = useAct()
  const [isCloning, setCloning] = useState(false)
  const mayStart = refusalOf(vm, 'start') === null
  const quick = mayStart ? ({ verb: 'start', label: 'verb.start', icon: Play } as const) : ({ verb: 'stop', label: 'verb.stop', icon: Square } as const)
  return (
    <span className="inline-flex gap-1">
      <Button kind="quiet" size="icon" aria-label={`${say(quick.label)} ${vm.name}`} refusal={refusalOf(vm, quick.verb)} onClick={() => void act(quick.verb, [vm])}>
        <quick.icon aria-hidden />
      </Button>
      <Menu
        label={say('vm.whatToDo', { name: vm.name })}
        trigger={
          <Button kind="quiet" size="icon" aria-label={say('vm.more', { name: vm.name })}>
            <Ellipsis aria-hidden />
          </Button>
        }
        entries={[
          { label: say('verb.clone'), icon: <CopyPlus />, refusal: refusalOf(vm, 'clone'), onSelect: () => setCloning(true) },
          ...VERBS.map(({ verb, label, icon: Icon, isDangerous }) => ({
            label: say(label),
            icon: <Icon />,
            isDangerous,
            refusal: refusalOf(vm, verb),
            onSelect: () => void act(verb, [vm]),
          })),
        ]}
      />
      {isCloning ? <CloneVm vm={vm} onClose={() => setCloning(false)} /> : null}
    </span>
  )
}
