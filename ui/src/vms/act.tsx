'use client'

import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'

import { type BulkVerb, snapshotsSuspend, type Verb, type VmBody, vmsBulk, vmsCtrlAltDel, vmsDelete, vmsPause, vmsReboot, vmsResume, vmsStart, vmsStop } from '@/api'
import { useConfirm } from '@/design/confirm'
import { refused } from '@/design/refused'
import { toast } from '@/design/toast'
import { say } from '@/words/words'

type Call = (options: { path: { vm_id: string }; throwOnError: true }) => Promise<unknown>

const CALLS: Partial<Record<Verb, Call>> = {
  start: vmsStart,
  stop: vmsStop,
  pause: vmsPause,
  resume: vmsResume,
  suspend: snapshotsSuspend,
  reboot: vmsReboot,
  'ctrl-alt-del': vmsCtrlAltDel,
  delete: vmsDelete,
}
const BULK = new Set<Verb>(['start', 'stop', 'pause', 'resume', 'delete'])
const MOST_AT_ONCE = 1000
const WAIT_S = 60
const TYPED_FROM = 3

export type Failed = { vm: VmBody; error: string }

/** Does a verb with one or many VMs, asking first where something is lost. Answers null when the person did not agree. */
export function useAct() {
  const confirm = useConfirm()
  const queries = useQueryClient()
  return useCallback(
    async (verb: Verb, vms: VmBody[]): Promise<Failed[] | null> => {
      const call = CALLS[verb]
      if (!call || vms.length === 0) return null
      if (verb === 'delete' && !(await confirm(deleting(vms)))) return null
      const asleep = verb === 'stop' ? vms.filter(({ state }) => state === 'suspended') : []
      if (asleep.length > 0 && !(await confirm(wakingNever(asleep)))) return null
      const failed = vms.length > 1 && BULK.has(verb) ? await inBulk(verb as BulkVerb, vms) : await oneByOne(call, vms)
      void queries.invalidateQueries()
      for (const { error } of failed.slice(0, 3)) toast.error(error)
      if (failed.length > 3) toast.error(say('bulk.moreFailed', { count: failed.length - 3 }))
      return failed
    },
    [confirm, queries],
  )
}

async function oneByOne(call: Call, vms: VmBody[]): Promise<Failed[]> {
  const failed: Failed[] = []
  for (const vm of vms) {
    try {
      await call({ path: { vm_id: vm.id }, throwOnError: true })
    } catch (thrown) {
      failed.push({ vm, error: refused(thrown).error })
    }
  }
  return failed
}

/** One operation for all of them, on the server; what failed within a minute is told here, the rest by the tray. */
async function inBulk(verb: BulkVerb, vms: VmBody[]): Promise<Failed[]> {
  const failed: Failed[] = []
  for (let begin = 0; begin < vms.length; begin += MOST_AT_ONCE) {
    const some = vms.slice(begin, begin + MOST_AT_ONCE)
    try {
      const { data } = await vmsBulk({ body: { verb, ids: some.map(({ id }) => id) }, query: { wait: WAIT_S }, throwOnError: true })
      for (const { vm_id, error } of data.bulk.items) {
        const vm = some.find(({ id }) => id === vm_id)
        if (vm && error) failed.push({ vm, error: error.error })
      }
    } catch (thrown) {
      const { error } = refused(thrown)
      failed.push(...some.map((vm) => ({ vm, error })))
    }
  }
  return failed
}

function wakingNever(asleep: VmBody[]) {
  const names = asleep.map(({ name }) => name).join(', ')
  return { title: say('asleep.title'), body: <p>{say('asleep.lost', { names })}</p>, action: say('verb.stop'), isDangerous: true }
}

function deleting(vms: VmBody[]) {
  const [first] = vms
  const isOne = vms.length === 1
  return {
    title: isOne ? say('delete.one', { name: first?.name ?? '' }) : say('delete.many', { count: vms.length }),
    body: (
      <>
        <p>{isOne ? say('delete.lostOne') : say('delete.lostMany')}</p>
        {isOne ? null : (
          <ul className="mt-2 max-h-40 list-disc overflow-y-auto pl-5">
            {vms.map(({ id, name }) => (
              <li key={id}>{name}</li>
            ))}
          </ul>
        )}
      </>
    ),
    action: isOne ? say('verb.delete') : say('delete.doMany', { count: vms.length }),
    isDangerous: true,
    typed: vms.length >= TYPED_FROM ? 'delete' : undefined,
  }
}
