'use client'

import { useQuery } from '@tanstack/react-query'
import { CirclePlus, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'

import { type NicBody, type NicLimiterAnswer, nicsDelete, type VmBody } from '@/api'
import { nicsListOptions } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { Nothing } from '@/design/card'
import { useConfirm } from '@/design/confirm'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

import { tellApplied } from '../devices/changed'
import { MBIT, perSecond, shown } from '../devices/limits'
import { AddNic, EditNic } from '../devices/nic-dialogs'

export function NetworkTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  const nics = useQuery(nicsListOptions({ path: { vm_id: vm.id } }))
  const [open, setOpen] = useState<'add' | NicBody | null>(null)
  if (nics.isPending) return <Loading rows={2} />
  if (nics.error) return <Failure refused={refused(nics.error)} onRetry={() => void nics.refetch()} />
  const heads = [say('nic.interface'), say('metrics.network'), say('vm.mac'), say('vm.address'), say('nic.in'), say('nic.out'), ...(mayChange ? [say('table.actions')] : [])]
  return (
    <div className="grid gap-3">
      {mayChange ? (
        <div>
          <Button size="sm" onClick={() => setOpen('add')}>
            <CirclePlus aria-hidden /> {say('nic.add')}
          </Button>
        </div>
      ) : null}
      <Table
        label={say('nic.of', { name: vm.name })}
        heads={heads}
        rows={nics.data.items.map((nic) => ({
          key: nic.id,
          cells: [
            <span key="id" className="flex gap-1.5 font-mono text-sm">
              {nic.iface_id}
              {nic.is_pending ? <Badge tone="warn">{say('device.nextStart')}</Badge> : null}
            </span>,
            nic.network,
            <span key="mac" className="font-mono text-sm">{nic.guest_mac}</span>,
            nic.address ? <span key="address" className="font-mono text-sm">{nic.address}</span> : <Nothing key="address" />,
            limit(nic.rx_rate_limiter),
            limit(nic.tx_rate_limiter),
            <span key="actions" className="flex justify-end">
              <Button kind="quiet" size="icon" aria-label={say('do.change', { what: nic.iface_id })} onClick={() => setOpen(nic)}>
                <Pencil aria-hidden />
              </Button>
              <Remove vm={vm} nic={nic} />
            </span>,
          ].slice(0, heads.length),
        }))}
      />
      {open === 'add' ? <AddNic vm={vm} onClose={() => setOpen(null)} /> : null}
      {open !== null && open !== 'add' ? <EditNic vm={vm} nic={open} onClose={() => setOpen(null)} /> : null}
    </div>
  )
}

function limit(limiter: NicLimiterAnswer | null) {
  const rate = perSecond(limiter?.bandwidth)
  return rate === null ? say('nic.noLimit') : `${shown(rate, MBIT)} Mbit/s`
}

function Remove({ vm, nic }: { vm: VmBody; nic: NicBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const [isBusy, setBusy] = useState(false)
  const remove = async () => {
    setBusy(true)
    await tell(nicsDelete({ path: { vm_id: vm.id, nic: nic.id }, throwOnError: true }), ({ data }) => tellApplied(`Removed ${nic.iface_id}`, data.applied))
    setBusy(false)
  }
  return (
    <Button
      kind="quiet"
      size="icon"
      aria-label={say('do.removeWhat', { what: nic.iface_id })}
      busy={isBusy}
      onClick={async () => {
        const body = <p>{say('nic.lost', { address: nic.address ?? '' })}</p>
        if (await confirm({ title: say('device.removeFrom', { what: nic.iface_id, name: vm.name }), body, action: say('do.remove'), isDangerous: true })) await remove()
      }}
    >
      <Trash2 aria-hidden />
    </Button>
  )
}
