import type { SnapshotBody } from '@/api'

export type Placed = { snapshot: SnapshotBody; depth: number }

/** Snapshots as a tree is read: each after what it came after, one step further in, and the oldest first. */
export function placed(snapshots: SnapshotBody[]): Placed[] {
  const known = new Set(snapshots.map(({ id }) => id))
  const oldestFirst = [...snapshots].sort((one, other) => one.created_at.localeCompare(other.created_at))
  const under = (parent: string | null, depth: number): Placed[] =>
    oldestFirst
      .filter(({ parent_id }) => (parent_id !== null && known.has(parent_id) ? parent_id : null) === parent)
      .flatMap((snapshot) => [{ snapshot, depth }, ...under(snapshot.id, depth + 1)])
  return under(null, 0)
}
