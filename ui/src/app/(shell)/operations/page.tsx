import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { OperationsPage } from '@/operations/operations-page'

export const metadata: Metadata = { title: 'Operations' }

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <OperationsPage />
    </Suspense>
  )
}
