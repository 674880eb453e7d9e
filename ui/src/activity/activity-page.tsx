'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'

import { auditListOptions } from '@/api/@tanstack/react-query.gen'
import { Card } from '@/design/card'
import { Input } from '@/design/field'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { useUrlState } from '@/route/route'
import { say } from '@/words/words'

import { AuditTable } from './audit-table'

const MOST = 200

export function ActivityPage() {
  const [q, setQ] = useUrlState('q')
  const [who, setWho] = useUrlState('who')
  const audit = useQuery({
    ...auditListOptions({ query: { limit: MOST, q: q || undefined, actor_name: who || undefined } }),
    placeholderData: keepPreviousData,
  })
  return (
    <>
      <PageHead title={say('place.activity')} below={say('activity.below')} />
      <div className="mb-4 flex flex-wrap gap-2">
        <Input type="search" aria-label={say('activity.search')} placeholder={say('activity.searchHint')} className="sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
        <Input type="search" aria-label={say('activity.ofUser')} placeholder={say('signIn.user')} className="w-40" value={who} onChange={(event) => setWho(event.target.value)} />
      </div>
      {audit.error ? <Failure refused={refused(audit.error)} onRetry={() => void audit.refetch()} /> : null}
      {audit.isPending ? <Loading /> : null}
      {audit.data?.items.length === 0 ? <Empty title={say('activity.none')}>{say('activity.noneHint')}</Empty> : null}
      {audit.data && audit.data.items.length > 0 ? (
        <Card>
          <AuditTable entries={audit.data.items} label={say('place.activity')} withSubject />
        </Card>
      ) : null}
    </>
  )
}
