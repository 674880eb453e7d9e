import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { VmList } from '@/vms/vm-list'

export const metadata: Metadata = { title: 'Virtual machines' }

export default function VmsPage() {
  return (
    <Suspense fallback={<Loading />}>
      <VmList />
    </Suspense>
  )
}
