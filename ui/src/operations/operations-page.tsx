'use client'

import { keepPreviousData, useQuery } from '@tanstack/react-query'

import type { Status } from '@/api'
import { operationsListOptions } from '@/api/@tanstack/react-query.gen'
import { Input, Select } from '@/design/field'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { useUrlState } from '@/route/route'
import { say } from '@/words/words'

import { OperationRow } from './operation-row'

const MOST = 200
const STATUSES: Status[] = ['running', 'done', 'failed', 'superseded']

export function OperationsPage() {
  const [q, setQ] = useUrlState('q')
  const [status, setStatus] = useUrlState('status')
  const query = { limit: MOST, sort: '-created_at', q: q || undefined, status: (status as Status) || undefined }
  const operations = useQuery({ ...operationsListOptions({ query }), placeholderData: keepPreviousData })
  return (
    <>
      <PageHead title={say('place.operations')} below={say('operations.below')} />
      <div className="mb-4 flex flex-wrap gap-2">
        <Input type="search" aria-label={say('operations.search')} placeholder={say('list.searchByName')} className="sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
        <Select aria-label={say('operations.status')} className="w-40" value={status} onChange={(event) => setStatus(event.target.value)}>
          <option value="">{say('operations.anyStatus')}</option>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {say(`operations.status.${one}`)}
            </option>
          ))}
        </Select>
      </div>
      {operations.error ? <Failure refused={refused(operations.error)} onRetry={() => void operations.refetch()} /> : null}
      {operations.isPending ? <Loading /> : null}
      {operations.data?.items.length === 0 ? <Empty title={say('operations.none')}>{q || status ? say('operations.noneFits') : say('operations.noneYet')}</Empty> : null}
      {operations.data && operations.data.items.length > 0 ? (
        <ul className="divide-y rounded-lg border bg-surface">
          {operations.data.items.map((operation) => (
            <li key={operation.id} className="px-4 py-3">
              <OperationRow operation={operation} />
            </li>
          ))}
        </ul>
      ) : null}
      {operations.data?.next_cursor ? <p className="mt-3 text-muted">{say('list.newestShown', { count: MOST })}</p> : null}
    </>
  )
}
