import type { Metadata } from 'next'
import { Suspense } from 'react'

import { ActivityPage } from '@/activity/activity-page'
import { Loading } from '@/design/states'

export const metadata: Metadata = { title: 'Activity' }

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <ActivityPage />
    </Suspense>
  )
}
