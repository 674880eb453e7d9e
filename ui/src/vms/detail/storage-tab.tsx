'use client'

import { useQuery } from '@tanstack/react-query'
import { CirclePlus, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'

import { type DriveBody, drivesDelete, type VmBody } from '@/api'
import { drivesListOptions } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

import { tellApplied } from '../devices/changed'
import { AddDrive, EditDrive } from '../devices/drive-dialogs'
import { perSecond } from '../devices/limits'

export function StorageTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  const drives = useQuery(drivesListOptions({ path: { vm_id: vm.id } }))
  const [open, setOpen] = useState<'add' | DriveBody | null>(null)
  if (drives.isPending) return <Loading rows={2} />
  if (drives.error) return <Failure refused={refused(drives.error)} onRetry={() => void drives.refetch()} />
  const heads = [say('drive.drive'), say('drive.role'), say('config.size'), say('drive.from'), say('drive.limits'), ...(mayChange ? [say('table.actions')] : [])]
  return (
    <div className="grid gap-3">
      {mayChange ? (
        <div>
          <Button size="sm" onClick={() => setOpen('add')}>
            <CirclePlus aria-hidden /> {say('drive.add')}
          </Button>
        </div>
      ) : null}
      <Table
        label={say('drive.of', { name: vm.name })}
        heads={heads}
        rows={drives.data.items.map((drive) => ({
          key: drive.id,
          cells: [
            <span key="id" className="font-mono text-sm">{drive.drive_id}</span>,
            <span key="role" className="flex gap-1">
              {drive.role}
              {drive.is_read_only ? <Badge>{say('drive.readOnly')}</Badge> : null}
              {drive.is_pending ? <Badge tone="warn">{say('device.nextStart')}</Badge> : null}
            </span>,
            drive.size_bytes === null ? say('drive.imagesOwn') : bytes(drive.size_bytes),
            drive.image ?? drive.path_on_host ?? say('drive.empty'),
            limits(drive),
            <span key="actions" className="flex justify-end">
              <Button kind="quiet" size="icon" aria-label={say('do.change', { what: drive.drive_id })} onClick={() => setOpen(drive)}>
                <Pencil aria-hidden />
              </Button>
              <Remove vm={vm} drive={drive} />
            </span>,
          ].slice(0, heads.length),
        }))}
      />
      {open === 'add' ? <AddDrive vm={vm} onClose={() => setOpen(null)} /> : null}
      {open !== null && open !== 'add' ? <EditDrive vm={vm} drive={open} onClose={() => setOpen(null)} /> : null}
    </div>
  )
}

function limits({ rate_limiter: limiter }: DriveBody) {
  const [rate, ops] = [perSecond(limiter?.bandwidth), perSecond(limiter?.ops)]
  return [rate === null ? null : `${bytes(rate)}/s`, ops === null ? null : `${ops} IOPS`].filter(Boolean).join(', ') || say('value.none')
}

function Remove({ vm, drive }: { vm: VmBody; drive: DriveBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const [isBusy, setBusy] = useState(false)
  const remove = async () => {
    setBusy(true)
    await tell(drivesDelete({ path: { vm_id: vm.id, drive: drive.id }, throwOnError: true }), ({ data }) =>
      tellApplied(`Removed ${drive.drive_id}; its data is ${data.data}`, data.applied),
    )
    setBusy(false)
  }
  const isShared = drive.path_on_host !== null
  return (
    <Button
      kind="quiet"
      size="icon"
      aria-label={say('do.removeWhat', { what: drive.drive_id })}
      busy={isBusy}
      refusal={drive.role === 'data' ? null : say('drive.bootsFrom')}
      onClick={async () => {
        const body = isShared ? <p>{say('drive.stays', { path: drive.path_on_host ?? '' })}</p> : <p>{say('drive.lost')}</p>
        if (await confirm({ title: say('device.removeFrom', { what: drive.drive_id, name: vm.name }), body, action: say('do.remove'), isDangerous: true })) await remove()
      }}
    >
      <Trash2 aria-hidden />
    </Button>
  )
}
