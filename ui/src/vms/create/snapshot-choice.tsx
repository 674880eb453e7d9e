'use client'

import { useId } from 'react'

import type { SnapshotBody } from '@/api'
import { mib } from '@/design/size'
import { Ago } from '@/design/time'
import { contents, sizeOf } from '@/snapshots/cells'
import { say } from '@/words/words'

/** One of many snapshots, each with what tells it from the others. */
export function SnapshotChoice({ snapshots, chosen, onChoose }: { snapshots: SnapshotBody[]; chosen: string; onChoose: (id: string) => void }) {
  const group = useId()
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 font-medium">{say('restore.from')}</legend>
      {snapshots.length === 0 ? <p className="text-muted">{say('snapshots.noMatch')}</p> : null}
      <div className="grid max-h-80 gap-1.5 overflow-y-auto">
        {snapshots.map((snapshot) => (
          <label key={snapshot.id} className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2.5 rounded-md border px-3 py-2 has-checked:border-accent has-checked:bg-accent-soft/50">
            <input type="radio" name={group} value={snapshot.id} checked={snapshot.id === chosen} onChange={() => onChoose(snapshot.id)} className="mt-0.5 size-4 accent-accent" />
            <span className="font-medium break-all">{snapshot.name}</span>
            <span className="col-start-2 text-sm text-muted">
              {say('restore.ofVm', { name: snapshot.vm_name })} · <Ago at={snapshot.created_at} /> · {say('restore.onHost', { host: snapshot.host_name })}
            </span>
            <span className="col-start-2 text-sm text-muted">
              {contents(snapshot)} · {sizeOf(snapshot)} · {snapshot.vcpu} vCPU, {mib(snapshot.mem_mib)}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
