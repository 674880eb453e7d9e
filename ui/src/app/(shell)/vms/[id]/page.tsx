import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { VmDetail } from '@/vms/detail/vm-detail'

export const metadata: Metadata = { title: 'Virtual machine' }

// the exported page stands for every id; see docs/ui.md
export const generateStaticParams = () => [{ id: '_' }]

export default function VmPage() {
  return (
    <Suspense fallback={<Loading />}>
      <VmDetail />
    </Suspense>
  )
}
