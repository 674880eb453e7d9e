import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { SnapshotList } from '@/snapshots/snapshot-list'

export const metadata: Metadata = { title: 'Snapshots' }

export default function SnapshotsPage() {
  return (
    <Suspense fallback={<Loading />}>
      <SnapshotList />
    </Suspense>
  )
}
