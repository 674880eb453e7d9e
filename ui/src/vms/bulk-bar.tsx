'use client'

import { X } from 'lucide-react'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { Button } from '@/design/button'
import { say } from '@/words/words'

import { type Failed, useAct } from './act'
import { refusalOf, VERBS } from './verbs'

/** What can be done with the chosen VMs, and afterwards what could not. Those a verb does not fit are left out, counted. */
export function BulkBar({ chosen, onClear }: { chosen: VmBody[]; onClear: () => void }) {
  const act = useAct()
  const [busy, setBusy] = useState<string | null>(null)
  const [failed, setFailed] = useState<Failed[]>([])
  if (chosen.length === 0 && failed.length === 0) return null
  const shown = VERBS.filter(({ verb }) => verb !== 'ctrl-alt-del' && verb !== 'reboot')
  return (
    <div role="region" aria-label={say('bulk.label')} className="sticky bottom-3 z-20 mt-4 grid gap-3 rounded-lg border bg-raised px-4 py-3 shadow-pop">
      {chosen.length > 0 ? (
        <div className="flex flex-wrap items-center gap-2">
          <span className="mr-2 font-medium" aria-live="polite">
            {say('bulk.chosen', { count: chosen.length })}
          </span>
          {shown.map(({ verb, label, icon: Icon, isDangerous }) => {
            const fitting = chosen.filter((vm) => refusalOf(vm, verb) === null)
            return (
              <Button
                key={verb}
                size="sm"
                kind={isDangerous ? 'danger' : 'plain'}
                busy={busy === verb}
                refusal={fitting.length === 0 ? (refusalOf(chosen[0]!, verb) ?? say('bulk.noneFits')) : null}
                onClick={async () => {
                  setBusy(verb)
                  const trouble = await act(verb, fitting)
                  setBusy(null)
                  if (trouble) setFailed(trouble)
                }}
              >
                <Icon aria-hidden />
                {say(label)}
                {fitting.length < chosen.length && fitting.length > 0 ? <span className="tabular text-muted">{fitting.length}</span> : null}
              </Button>
            )
          })}
          <Button size="icon" kind="quiet" aria-label={say('bulk.none')} className="ml-auto" onClick={onClear}>
            <X aria-hidden />
          </Button>
        </div>
      ) : null}
      {failed.length > 0 ? (
        <div role="alert" className="max-h-40 overflow-y-auto text-sm">
          <div className="flex items-center justify-between">
            <p className="font-medium text-bad">{say('bulk.failed', { count: failed.length })}</p>
            <Button size="sm" kind="quiet" onClick={() => setFailed([])}>
              {say('do.dismiss')}
            </Button>
          </div>
          <ul>
            {failed.map(({ vm, error }) => (
              <li key={vm.id}>{error}</li>
            ))}
          </ul>
        </div>
      ) : null}
    </div>
  )
}
