import type { Metadata } from 'next'
import { Suspense } from 'react'

import { Loading } from '@/design/states'
import { TemplateList } from '@/templates/template-list'

export const metadata: Metadata = { title: 'Templates' }

export default function TemplatesPage() {
  return (
    <Suspense fallback={<Loading />}>
      <TemplateList />
    </Suspense>
  )
}
