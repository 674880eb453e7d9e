'use client'

import { Ellipsis, Play, Square } from 'lucide-react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { Menu } from '@/design/menu'
import { say } from '@/words/words'

import { useAct } from './act'
import { refusalOf, VERBS } from './verbs'

/** The likeliest verb as a button, all others in a menu; those refused say why. */
export function RowActions({ vm }: { vm: VmBody }) {
  const act = useAct()
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
        entries={VERBS.map(({ verb, label, icon: Icon, isDangerous }) => ({
          label: say(label),
          icon: <Icon />,
          isDangerous,
          refusal: refusalOf(vm, verb),
          onSelect: () => void act(verb, [vm]),
        }))}
      />
    </span>
  )
}
