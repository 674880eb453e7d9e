'use client'

import { useQuery } from '@tanstack/react-query'

import type { VmBody } from '@/api'
import { auditListOptions, operationsListOptions } from '@/api/@tanstack/react-query.gen'
import { AuditTable } from '@/activity/audit-table'
import { Card } from '@/design/card'
import { Loading } from '@/design/states'
import { OperationRow } from '@/operations/operation-row'
import { say } from '@/words/words'

export function ActivityTab({ vm, isAdmin }: { vm: VmBody; isAdmin: boolean }) {
  const operations = useQuery(operationsListOptions({ query: { vm_id: vm.id, limit: 30, sort: '-created_at' } }))
  return (
    <div className="grid items-start gap-4 xl:grid-cols-2">
      <Card title={say('place.operations')}>
        {operations.isPending ? <Loading rows={3} /> : null}
        <ul className="grid gap-4">
          {operations.data?.items.map((operation) => (
            <li key={operation.id}>
              <OperationRow operation={operation} />
            </li>
          ))}
        </ul>
        {operations.data?.items.length === 0 ? <p className="text-muted">{say('activity.nothing')}</p> : null}
      </Card>
      {isAdmin ? <Audit vm={vm} /> : null}
    </div>
  )
}

function Audit({ vm }: { vm: VmBody }) {
  const audit = useQuery(auditListOptions({ query: { vm_id: vm.id, limit: 30 } }))
  return (
    <Card title={say('activity.who')}>
      {audit.isPending ? <Loading rows={3} /> : null}
      {audit.data ? <AuditTable entries={audit.data.items} label={say('activity.doneTo', { name: vm.name })} withSubject /> : null}
    </Card>
  )
}
