import Link from 'next/link'
import type { ReactNode } from 'react'

import type { SnapshotBody, TreeVm } from '@/api'
import { Badge, type Tone } from '@/design/badge'
import { bytes } from '@/design/size'
import { say } from '@/words/words'

const TONES: Record<SnapshotBody['state'], Tone> = { creating: 'busy', completed: 'ok', failed: 'bad', deleting: 'busy' }

/** What a snapshot is called, and what for; `depth` steps into the tree. */
export function Name({ snapshot, depth = 0, children }: { snapshot: SnapshotBody; depth?: number; children?: ReactNode }) {
  return (
    <div style={{ paddingInlineStart: `${depth * 16}px` }}>
      <span className="flex items-center gap-1.5 font-medium">
        {snapshot.name}
        {children}
      </span>
      {snapshot.description ? <span className="block max-w-80 text-sm whitespace-normal text-muted">{snapshot.description}</span> : null}
    </div>
  )
}

/** Memory and disks, or disks alone; nothing while nobody knows yet. */
export function contents({ has_memory }: SnapshotBody): string {
  if (has_memory === null) return ''
  return has_memory ? say('snapshot.memoryAndDisks') : say('snapshot.disks')
}

/** Its type and what is in it; a Diff with what it is over, if that is among the known. */
export function Holds({ snapshot, known }: { snapshot: SnapshotBody; known: SnapshotBody[] }) {
  const { snapshot_type, parent_id } = snapshot
  const parent = snapshot_type === 'Diff' ? known.find(({ id }) => id === parent_id) : undefined
  return (
    <span className="inline-grid max-w-56 whitespace-normal">
      {parent ? say('snapshot.diffOver', { name: parent.name }) : snapshot_type}
      <span className="text-sm whitespace-nowrap text-muted">{contents(snapshot)}</span>
    </span>
  )
}

export const sizeOf = ({ size_bytes }: SnapshotBody) => (size_bytes === null ? '–' : bytes(size_bytes))

/** Where it stands, with why it failed or in which way it is less than it could be. */
export function State({ snapshot }: { snapshot: SnapshotBody }) {
  const note = snapshot.fault ?? snapshot.warning
  return (
    <span className="grid min-w-20 justify-items-start gap-1">
      <Badge tone={TONES[snapshot.state]}>{say(`snapshot.state.${snapshot.state}`)}</Badge>
      {note ? <span className="w-72 max-w-full text-sm sm:w-40 whitespace-normal text-muted">{note}</span> : null}
    </span>
  )
}

/** The VM that it was taken of, as long as there is one here. */
export function Origin({ snapshot: { vm_id, vm_name, is_imported } }: { snapshot: SnapshotBody }) {
  if (is_imported) {
    return (
      <span className="inline-flex flex-wrap items-center gap-x-1.5 text-muted sm:inline-grid sm:justify-items-start">
        {vm_name} <Badge tone="idle">{say('snapshot.imported')}</Badge>
      </span>
    )
  }
  return vm_id === null ? <span className="text-muted">{vm_name}</span> : <VmLink id={vm_id} name={vm_name} />
}

export function Made({ vms }: { vms: TreeVm[] }) {
  if (vms.length === 0) return null
  return (
    <span className="inline-block max-w-xl whitespace-normal">
      {vms.map(({ id, name }, index) => (
        <span key={id}>
          {index > 0 ? ', ' : null}
          <VmLink id={id} name={name} />
        </span>
      ))}
    </span>
  )
}

function VmLink({ id, name }: { id: string; name: string }) {
  return (
    <Link href={`/vms/${id}`} prefetch={false} className="underline">
      {name}
    </Link>
  )
}
