'use client'

import { useQuery } from '@tanstack/react-query'
import { Camera, CirclePlus } from 'lucide-react'
import { useState } from 'react'

import type { VmBody } from '@/api'
import { snapshotsListVmOptions, snapshotsTreeOptions } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Ago } from '@/design/time'
import { useSession } from '@/shell/session'
import { refusalOf } from '@/vms/verbs'
import { say } from '@/words/words'

import { Holds, Made, Name, sizeOf, State } from './cells'
import { CreateSnapshot } from './create-snapshot'
import { SnapshotActions } from './snapshot-actions'
import { placed } from './tree'

/** What a VM was, to go back to or to make others of, as the tree that it is. */
export function SnapshotsTab({ vm }: { vm: VmBody }) {
  const { mayChange } = useSession()
  const snapshots = useQuery(snapshotsListVmOptions({ path: { vm_id: vm.id }, query: { limit: 500 } }))
  const tree = useQuery(snapshotsTreeOptions({ path: { vm_id: vm.id } }))
  const [isTaking, setTaking] = useState(false)
  if (snapshots.isPending) return <Loading rows={2} />
  if (snapshots.error) return <Failure refused={refused(snapshots.error)} onRetry={() => void snapshots.refetch()} />
  const nodes = new Map(tree.data?.item.snapshots.map((node) => [node.id, node]))
  const current = tree.data?.item.snapshots.find(({ is_current }) => is_current)?.id
  const placedAll = placed(snapshots.data.items)
  const heads = [say('vm.name'), say('snapshot.type'), say('config.size'), say('snapshot.age'), say('vm.state'), say('snapshot.made')]
  return (
    <div className="grid gap-3">
      {mayChange ? (
        <div className="flex flex-wrap items-center gap-3">
          <Button size="sm" refusal={refusalOf(vm, 'snapshot')} onClick={() => setTaking(true)}>
            <CirclePlus aria-hidden /> {say('snapshot.take')}
          </Button>
          {tree.data && tree.data.item.size_bytes > 0 ? (
            <span className="text-sm text-muted">{say('snapshot.onHost', { size: bytes(tree.data.item.size_bytes) })}</span>
          ) : null}
        </div>
      ) : null}
      {snapshots.data.items.length === 0 ? (
        <Empty icon={<Camera />} title={say('snapshots.none')}>
          {say('snapshots.noneOfVm')}
        </Empty>
      ) : (
        <Table
          label={say('snapshots.of', { name: vm.name })}
          heads={[...heads, ...(mayChange ? [say('table.actions')] : [])]}
          rows={placedAll.map(({ snapshot, depth }) => ({
            key: snapshot.id,
            cells: [
              <Name key="name" snapshot={snapshot} depth={depth}>
                {snapshot.id === current ? <Badge tone="accent">{say('snapshot.current')}</Badge> : null}
              </Name>,
              <Holds key="type" snapshot={snapshot} known={snapshots.data.items} />,
              sizeOf(snapshot),
              <Ago key="age" at={snapshot.created_at} />,
              <State key="state" snapshot={snapshot} />,
              <Made key="made" vms={nodes.get(snapshot.id)?.vms ?? []} />,
              <SnapshotActions key="actions" vm={vm} snapshot={snapshot} />,
            ],
          }))}
        />
      )}
      {tree.data && tree.data.item.clones.length > 0 ? (
        <p className="flex flex-wrap gap-x-1 text-sm text-muted">
          {say('snapshot.clones', { name: vm.name })} <Made vms={tree.data.item.clones} />
        </p>
      ) : null}
      {isTaking ? (
        <CreateSnapshot
          vm={vm}
          parents={placedAll.map(({ snapshot }) => snapshot).filter(({ state, purpose }) => state === 'completed' && purpose === 'keep')}
          current={current}
          onClose={() => setTaking(false)}
        />
      ) : null}
    </div>
  )
}
