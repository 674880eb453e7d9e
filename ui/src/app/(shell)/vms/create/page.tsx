import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { CreateVm } from '@/vms/create/create-vm'

export const metadata: Metadata = { title: 'Create VM' }

export default function CreateVmPage() {
  return (
    <Suspense fallback={<Loading />}>
      <CreateVm />
    </Suspense>
  )
}
