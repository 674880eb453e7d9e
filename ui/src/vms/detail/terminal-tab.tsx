'use client'

import { Expand, Plus, Shrink, X } from 'lucide-react'
import { useRef, useState } from 'react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { cn } from '@/design/cn'
import { Empty } from '@/design/states'
import { Terminal } from '@/terminal/terminal'
import { say } from '@/words/words'

import { refusalOf } from '../verbs'

const isComingUp = ({ state, guest }: VmBody) => state === 'creating' || state === 'starting' || (state === 'running' && guest === 'booting')

/** Shells in the guest, several side by side behind tabs. Each lives on in the guest when the connection is lost. */
export function TerminalTab({ vm }: { vm: VmBody }) {
  const next = useRef(2)
  const [shells, setShells] = useState([1])
  const [shown, setShown] = useState(1)
  const [isFull, setFull] = useState(false)
  const refusal = refusalOf(vm, 'shell')
  const [wasOpen, setWasOpen] = useState(refusal === null)
  if (refusal === null && !wasOpen) setWasOpen(true)
  if (!wasOpen && isComingUp(vm)) return <Empty title={say('terminal.soon', { name: vm.name })}>{say('terminal.soonHint')}</Empty>
  if (!wasOpen) return <Empty title={say('terminal.notNow')}>{refusal}</Empty>

  const open = () => {
    const number = next.current++
    setShells([...shells, number])
    setShown(number)
  }
  const close = (number: number) => {
    const rest = shells.filter((one) => one !== number)
    setShells(rest)
    if (shown === number) setShown(rest.at(-1) ?? 0)
  }
  return (
    <div className={cn('grid gap-2', isFull && 'fixed inset-0 z-40 grid-rows-[auto_1fr] bg-bg p-3')}>
      <div className="flex items-center gap-1">
        <div role="group" aria-label={say('terminal.shells')} className="flex flex-wrap gap-1">
          {shells.map((number) => (
            <span key={number} className={cn('inline-flex items-center rounded-md border', shown === number ? 'bg-accent-soft' : 'bg-surface')}>
              <button type="button" aria-pressed={shown === number} className="rounded-md px-2.5 py-1 text-sm font-medium" onClick={() => setShown(number)}>
                {say('terminal.shell', { number })}
              </button>
              <button type="button" aria-label={say('terminal.close', { number })} className="rounded-md p-1.5 text-muted hover:text-text" onClick={() => close(number)}>
                <X aria-hidden className="size-3.5" />
              </button>
            </span>
          ))}
        </div>
        <Button kind="quiet" size="icon" aria-label={say('terminal.another')} refusal={refusal} onClick={open}>
          <Plus aria-hidden />
        </Button>
        <Button kind="quiet" size="icon" className="ml-auto" aria-label={isFull ? say('terminal.leaveFull') : say('terminal.full')} aria-pressed={isFull} onClick={() => setFull(!isFull)}>
          {isFull ? <Shrink aria-hidden /> : <Expand aria-hidden />}
        </Button>
      </div>
      {shells.length === 0 ? <Empty title={say('terminal.none')} action={<Button onClick={open}>{say('terminal.open')}</Button>} /> : null}
      {shells.map((number) => (
        <div key={number} hidden={number !== shown} className={isFull ? 'min-h-0' : 'h-[calc(100dvh-20rem)] min-h-72'}>
          <Terminal vmId={vm.id} label={say('terminal.label', { number, name: vm.name })} isShown={number === shown} />
        </div>
      ))}
    </div>
  )
}
