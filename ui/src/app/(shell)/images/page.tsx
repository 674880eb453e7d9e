import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { ImageList } from '@/images/image-list'

export const metadata: Metadata = { title: 'Images' }

export default function ImagesPage() {
  return (
    <Suspense fallback={<Loading />}>
      <ImageList />
    </Suspense>
  )
}
