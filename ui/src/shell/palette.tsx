'use client'

import { useQuery } from '@tanstack/react-query'
import { Command } from 'cmdk'
import { Boxes, CirclePlus } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { Dialog } from 'radix-ui'
import { useState } from 'react'

import { vmsListOptions } from '@/api/@tanstack/react-query.gen'
import { VERBS } from '@/vms/verbs'
import { useAct } from '@/vms/act'
import { say } from '@/words/words'

import { placesFor } from './places'
import { useSession } from './session'

const item = 'flex cursor-pointer items-center gap-2.5 rounded-md px-3 py-2 data-[selected=true]:bg-sunken [&_svg]:size-4 [&_svg]:text-muted'
const group = '[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted'

/** Everything from one line: go somewhere, find a VM, do something with it. */
export function Palette({ onClose }: { onClose: () => void }) {
  const router = useRouter()
  const { isAdmin, mayChange } = useSession()
  const [words, setWords] = useState('')
  const name = words.trim().split(/\s+/).at(-1) ?? ''
  const vms = useQuery(vmsListOptions({ query: { limit: 8, q: name || undefined } }))
  const act = useAct()
  const go = (href: string) => {
    onClose()
    router.push(href)
  }
  return (
    <Dialog.Root open onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <Dialog.Content aria-describedby="" className="fixed top-[12vh] left-1/2 z-50 w-[min(40rem,calc(100vw-2rem))] -translate-x-1/2 rounded-lg border bg-raised shadow-pop">
          <Dialog.Title className="sr-only">{say('palette.title')}</Dialog.Title>
          <Command label={say('palette.title')} loop>
            <Command.Input
              autoFocus
              value={words}
              onValueChange={setWords}
              placeholder={say('palette.hint')}
              className="h-12 w-full border-b bg-transparent px-4 text-lg outline-none placeholder:text-muted"
            />
            <Command.List className="max-h-[50vh] overflow-y-auto p-2">
              <Command.Empty className="px-3 py-6 text-center text-muted">{say('palette.nothing')}</Command.Empty>
              {mayChange ? (
                <Command.Group heading={say('palette.do')} className={group}>
                  <Command.Item className={item} value={`create new vm ${say('palette.create')}`} onSelect={() => go('/vms/create')}>
                    <CirclePlus aria-hidden /> {say('palette.create')}
                  </Command.Item>
                </Command.Group>
              ) : null}
              <Command.Group heading={say('place.vms')} className={group}>
                {(vms.data?.items ?? []).map((vm) => (
                  <Command.Item key={vm.id} className={item} value={`${vm.name} open`} onSelect={() => go(`/vms/${vm.id}`)}>
                    <Boxes aria-hidden /> {vm.name} <span className="text-muted">{say(`state.${vm.state}`)}</span>
                  </Command.Item>
                ))}
                {mayChange && name
                  ? (vms.data?.items ?? []).flatMap((vm) =>
                      VERBS.filter(({ verb }) => vm.actions.some((one) => one.verb === verb && !one.refusal)).map(({ verb, label, icon: Icon }) => (
                        <Command.Item
                          key={`${vm.id} ${verb}`}
                          className={item}
                          value={`${verb} ${say(label)} ${vm.name}`}
                          onSelect={() => {
                            onClose()
                            void act(verb, [vm])
                          }}
                        >
                          <Icon aria-hidden /> {say(label)} {vm.name}
                        </Command.Item>
                      )),
                    )
                  : null}
              </Command.Group>
              <Command.Group heading={say('palette.go')} className={group}>
                {placesFor(isAdmin).map(({ href, label, icon: Icon }) => (
                  <Command.Item key={href} className={item} value={`go to ${say(label)}`} onSelect={() => go(href)}>
                    <Icon aria-hidden /> {say(label)}
                  </Command.Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
