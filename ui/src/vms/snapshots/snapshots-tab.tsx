'use client'

import { useQuery } from '@tanstack/react-query'
import { Camera, CirclePlus, CopyPlus, RotateCcw, Trash2 } from 'lucide-react'
import Link from 'next/link'
import { type ReactNode, useState } from 'react'

import { type SnapshotBody, snapshotsDelete, snapshotsRollback, type TreeVm, type VmBody } from '@/api'
import { snapshotsListVmOptions, snapshotsTreeOptions } from '@/api/@tanstack/react-query.gen'
import { Badge, type Tone } from '@/design/badge'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Ago } from '@/design/time'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

import { refusalOf } from '../verbs'
import { CreateSnapshot, RestoreSnapshot } from './dialogs'
import { placed } from './tree'

const TONES: Record<SnapshotBody['state'], Tone> = { creating: 'busy', completed: 'ok', failed: 'bad', deleting: 'busy' }

/** What a VM was, to go back to or to make others of, as the tree that it is. */
export function SnapshotsTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  const snapshots = useQuery(snapshotsListVmOptions({ path: { vm_id: vm.id }, query: { limit: 500 } }))
  const tree = useQuery(snapshotsTreeOptions({ path: { vm_id: vm.id } }))
  const [open, setOpen] = useState<'create' | SnapshotBody | null>(null)
  if (snapshots.isPending) return <Loading rows={2} />
  if (snapshots.error) return <Failure refused={refused(snapshots.error)} onRetry={() => void snapshots.refetch()} />
  const nodes = new Map(tree.data?.item.snapshots.map((node) => [node.id, node]))
  const heads = ['Name', 'Type', 'Size', 'Age', 'State', 'VMs made from it', ...(mayChange ? [say('table.actions')] : [])]
  return (
    <div className="grid gap-3">
      {mayChange ? (
        <div className="flex flex-wrap items-center gap-3">
          <Button size="sm" refusal={refusalOf(vm, 'snapshot')} onClick={() => setOpen('create')}>
            <CirclePlus aria-hidden /> Take snapshot
          </Button>
          {tree.data && tree.data.item.size_bytes > 0 ? <span className="text-sm text-muted">{bytes(tree.data.item.size_bytes)} on its host</span> : null}
        </div>
      ) : null}
      {snapshots.data.items.length === 0 ? (
        <Empty icon={<Camera />} title="No snapshots yet">
          A snapshot keeps the VM as it is, memory and disks, to go back to or to make others of. It stays when the VM is deleted.
        </Empty>
      ) : (
        <Table
          label={`Snapshots of ${vm.name}`}
          heads={heads}
          rows={placed(snapshots.data.items).map(({ snapshot, depth }) => ({
            key: snapshot.id,
            cells: [
              <Name key="name" snapshot={snapshot} depth={depth} isCurrent={nodes.get(snapshot.id)?.is_current === true} />,
              holds(snapshot),
              snapshot.size_bytes === null ? '–' : bytes(snapshot.size_bytes),
              <Ago key="age" at={snapshot.created_at} />,
              <State key="state" snapshot={snapshot} />,
              <Made key="made" vms={nodes.get(snapshot.id)?.vms ?? []} />,
              <Actions key="actions" vm={vm} snapshot={snapshot} onRestore={() => setOpen(snapshot)} />,
            ].slice(0, heads.length),
          }))}
        />
      )}
      {open === 'create' ? <CreateSnapshot vm={vm} onClose={() => setOpen(null)} /> : null}
      {open !== null && open !== 'create' ? <RestoreSnapshot snapshot={open} onClose={() => setOpen(null)} /> : null}
    </div>
  )
}

function Name({ snapshot, depth, isCurrent }: { snapshot: SnapshotBody; depth: number; isCurrent: boolean }) {
  return (
    <div style={{ paddingInlineStart: `${depth * 16}px` }}>
      <span className="flex items-center gap-1.5 font-medium">
        {snapshot.name}
        {isCurrent ? <Badge tone="accent">current</Badge> : null}
      </span>
      {snapshot.description ? <span className="block text-sm text-muted">{snapshot.description}</span> : null}
    </div>
  )
}

function holds({ snapshot_type, has_memory }: SnapshotBody): ReactNode {
  const held = { true: 'memory and disks', false: 'disks', null: '' }[String(has_memory)]
  return [snapshot_type, held].filter(Boolean).join(', ')
}

function State({ snapshot }: { snapshot: SnapshotBody }) {
  const note = snapshot.fault ?? snapshot.warning
  return (
    <span className="grid justify-items-start gap-1">
      <Badge tone={TONES[snapshot.state]}>{snapshot.state}</Badge>
      {note ? <span className="max-w-80 text-sm whitespace-normal text-muted">{note}</span> : null}
    </span>
  )
}

function Made({ vms }: { vms: TreeVm[] }) {
  return vms.map(({ id, name }, index) => (
    <span key={id}>
      {index > 0 ? ', ' : null}
      <Link href={`/vms/${id}`} prefetch={false} className="underline">
        {name}
      </Link>
    </span>
  ))
}

type Props = { vm: VmBody; snapshot: SnapshotBody; onRestore: () => void }

function Actions({ vm, snapshot, onRestore }: Props) {
  const confirm = useConfirm()
  const tell = useTell()
  const isThere = snapshot.state === 'completed'
  const notThere = isThere ? null : `It is ${snapshot.state}.`
  const rollBack = async () => {
    const body = (
      <p>
        {vm.name} becomes what it was <Ago at={snapshot.created_at} />. What was written to its disks since, what is in its memory now, and changes to its
        size and boot source are lost.
      </p>
    )
    const question = { title: `Roll ${vm.name} back to ${snapshot.name}?`, body, action: 'Roll back', isDangerous: true }
    if (!(await confirm(question))) return
    await tell(snapshotsRollback({ path: { vm_id: vm.id }, body: { snapshot_id: snapshot.id }, throwOnError: true }), `Rolling ${vm.name} back`)
  }
  const remove = async () => {
    const body = <p>There is no going back to it. VMs that were made from it stay.</p>
    if (!(await confirm({ title: `Delete the snapshot ${snapshot.name}?`, body, action: 'Delete', isDangerous: true }))) return
    await tell(snapshotsDelete({ path: { snapshot_id: snapshot.id }, throwOnError: true }), `Deleting ${snapshot.name}`)
  }
  const isNeeded = snapshot.needed_by.length > 0 ? `${snapshot.needed_by.join(', ')} has yet to begin from it.` : null
  return (
    <span className="flex justify-end gap-1">
      <Button kind="quiet" size="icon" aria-label={`New VM from ${snapshot.name}`} refusal={notThere} onClick={onRestore}>
        <CopyPlus aria-hidden />
      </Button>
      <Button kind="quiet" size="icon" aria-label={`Roll back to ${snapshot.name}`} refusal={notThere ?? refusalOf(vm, 'rollback')} onClick={() => void rollBack()}>
        <RotateCcw aria-hidden />
      </Button>
      <Button
        kind="quiet"
        size="icon"
        aria-label={`Delete ${snapshot.name}`}
        refusal={snapshot.state === 'creating' ? notThere : isNeeded}
        onClick={() => void remove()}
      >
        <Trash2 aria-hidden />
      </Button>
    </span>
  )
}
