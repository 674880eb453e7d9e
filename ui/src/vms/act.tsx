'use client'

import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { toast } from 'sonner'

import { type Verb, type VmBody, vmsCtrlAltDel, vmsDelete, vmsPause, vmsReboot, vmsResume, vmsStart, vmsStop } from '@/api'
import { useConfirm } from '@/design/confirm'
import { refused } from '@/design/refused'

type Call = (options: { path: { vm_id: string }; throwOnError: true }) => Promise<unknown>

const CALLS: Partial<Record<Verb, Call>> = {
  start: vmsStart,
  stop: vmsStop,
  pause: vmsPause,
  resume: vmsResume,
  reboot: vmsReboot,
  'ctrl-alt-del': vmsCtrlAltDel,
  delete: vmsDelete,
}
const AT_ONCE = 8
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
      const failed: Failed[] = []
      const waiting = [...vms]
      const work = async () => {
        for (let vm = waiting.shift(); vm; vm = waiting.shift()) {
          try {
            await call({ path: { vm_id: vm.id }, throwOnError: true })
          } catch (thrown) {
            failed.push({ vm, error: refused(thrown).error })
          }
        }
      }
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, vms.length) }, work))
      void queries.invalidateQueries()
      for (const { error } of failed.slice(0, 3)) toast.error(error)
      if (failed.length > 3) toast.error(`${failed.length - 3} more could not be done`)
      return failed
    },
    [confirm, queries],
  )
}

function deleting(vms: VmBody[]) {
  const [first] = vms
  const isOne = vms.length === 1
  return {
    title: isOne ? `Delete ${first?.name}?` : `Delete ${vms.length} VMs?`,
    body: (
      <>
        <p>{isOne ? 'The VM, its disks and everything on them are lost.' : 'These VMs, their disks and everything on them are lost:'}</p>
        {isOne ? null : (
          <ul className="mt-2 max-h-40 list-disc overflow-y-auto pl-5">
            {vms.map(({ id, name }) => (
              <li key={id}>{name}</li>
            ))}
          </ul>
        )}
      </>
    ),
    action: isOne ? 'Delete' : `Delete ${vms.length} VMs`,
    isDangerous: true,
    typed: vms.length >= TYPED_FROM ? 'delete' : undefined,
  }
}
