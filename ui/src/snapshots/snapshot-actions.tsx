'use client'

import { CopyPlus, Download, Pencil, RotateCcw, Trash2 } from 'lucide-react'
import Link from 'next/link'
import { type ReactNode, useState } from 'react'

import { type SnapshotBody, snapshotsDelete, type SnapshotsExportData, snapshotsRollback, type VmBody } from '@/api'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { later } from '@/design/later'
import { Ago } from '@/design/time'
import { useTell } from '@/shell/tell'
import { refusalOf } from '@/vms/verbs'
import { say } from '@/words/words'

const EditSnapshot = later(() => import('./edit-snapshot').then((module) => module.EditSnapshot))

/** What can be done with a snapshot; with its VM at hand also going back to it. */
export function SnapshotActions({ snapshot, vm }: { snapshot: SnapshotBody; vm?: VmBody }) {
  return (
    <span className="flex justify-end">
      <NewVm snapshot={snapshot} />
      {vm ? <RollBack vm={vm} snapshot={snapshot} /> : null}
      <Export snapshot={snapshot} />
      <Edit snapshot={snapshot} />
      <Delete snapshot={snapshot} />
    </span>
  )
}

/** Why nothing can begin from it now; null when it can. */
const notThere = ({ state }: SnapshotBody) => (state === 'completed' ? null : say('snapshot.notThere', { state: say(`snapshot.state.${state}`) }))

const EXPORT: SnapshotsExportData['url'] = '/v1/snapshots/{snapshot_id}/export'

function NewVm({ snapshot }: { snapshot: SnapshotBody }) {
  return <LinkTo href={`/vms/create?snapshot=${snapshot.id}`} label={say('snapshot.newVm', { name: snapshot.name })} icon={<CopyPlus aria-hidden />} refusal={notThere(snapshot)} />
}

/** As one archive, which the browser fetches like any other download. */
function Export({ snapshot }: { snapshot: SnapshotBody }) {
  const href = EXPORT.replace('{snapshot_id}', snapshot.id)
  return <LinkTo href={href} isDownload label={say('snapshot.export', { name: snapshot.name })} icon={<Download aria-hidden />} refusal={notThere(snapshot)} />
}

type LinkToProps = { href: string; label: string; icon: ReactNode; refusal: string | null; isDownload?: boolean }

function LinkTo({ href, label, icon, refusal, isDownload }: LinkToProps) {
  if (refusal) {
    return (
      <Button kind="quiet" size="icon" aria-label={label} refusal={refusal}>
        {icon}
      </Button>
    )
  }
  return (
    <Button kind="quiet" size="icon" asChild>
      {isDownload ? (
        <a href={href} download aria-label={label}>
          {icon}
        </a>
      ) : (
        <Link href={href} prefetch={false} aria-label={label}>
          {icon}
        </Link>
      )}
    </Button>
  )
}

function Edit({ snapshot }: { snapshot: SnapshotBody }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button kind="quiet" size="icon" aria-label={say('vm.edit', { name: snapshot.name })} onClick={() => setOpen(true)}>
        <Pencil aria-hidden />
      </Button>
      {isOpen ? <EditSnapshot snapshot={snapshot} onClose={() => setOpen(false)} /> : null}
    </>
  )
}

function RollBack({ vm, snapshot }: { vm: VmBody; snapshot: SnapshotBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const rollBack = async () => {
    const body = (
      <p>
        {say('rollback.becomes', { name: vm.name })} <Ago at={snapshot.created_at} />. {say('rollback.lost')}
      </p>
    )
    const question = { title: say('rollback.title', { name: vm.name, snapshot: snapshot.name }), body, action: say('rollback.do'), isDangerous: true }
    if (!(await confirm(question))) return
    await tell(snapshotsRollback({ path: { vm_id: vm.id }, body: { snapshot_id: snapshot.id }, throwOnError: true }), say('rollback.told', { name: vm.name }))
  }
  return (
    <Button
      kind="quiet"
      size="icon"
      aria-label={say('snapshot.rollBackTo', { name: snapshot.name })}
      refusal={notThere(snapshot) ?? refusalOf(vm, 'rollback')}
      onClick={() => void rollBack()}
    >
      <RotateCcw aria-hidden />
    </Button>
  )
}

function Delete({ snapshot }: { snapshot: SnapshotBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const remove = async () => {
    const question = { title: say('snapshot.delete', { name: snapshot.name }), body: <p>{say('snapshot.deleteLost')}</p>, action: say('verb.delete'), isDangerous: true }
    if (!(await confirm(question))) return
    await tell(snapshotsDelete({ path: { snapshot_id: snapshot.id }, throwOnError: true }), say('snapshot.deleting', { name: snapshot.name }))
  }
  const needed = snapshot.needed_by.length > 0 ? say('snapshot.needed', { names: snapshot.needed_by.join(', ') }) : null
  return (
    <Button
      kind="quiet"
      size="icon"
      aria-label={say('do.deleteWhat', { what: snapshot.name })}
      refusal={snapshot.state === 'creating' ? notThere(snapshot) : needed}
      onClick={() => void remove()}
    >
      <Trash2 aria-hidden />
    </Button>
  )
}
