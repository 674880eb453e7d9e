import Link from 'next/link'

import type { VmBody } from '@/api'
import { mib } from '@/design/size'
import { Ago } from '@/design/time'
import { sayCount } from '@/words/words'

import { RowActions } from './row-actions'
import { StateBadge } from './state-badge'

export function VmCards({ vms }: { vms: VmBody[] }) {
  return (
    <ul className="grid grid-cols-[repeat(auto-fill,minmax(17rem,1fr))] gap-3">
      {vms.map((vm) => (
        <li key={vm.id} className="grid gap-2 rounded-lg border bg-surface p-4">
          <div className="flex items-center justify-between gap-2">
            <Link href={`/vms/${vm.id}`} prefetch={false} className="truncate text-lg font-semibold hover:underline">
              {vm.name}
            </Link>
            <RowActions vm={vm} />
          </div>
          <div>
            <StateBadge state={vm.state} guest={vm.guest} />
          </div>
          {vm.fault ? <p className="text-sm text-bad">{vm.fault}</p> : null}
          <p className="text-sm text-muted">
            {sayCount('vm.vcpu', vm.vcpu)} · {mib(vm.mem_mib)} · {vm.image}
          </p>
          <p className="text-sm text-muted">
            {vm.guest_ip ? <span className="font-mono">{vm.guest_ip} · </span> : null}
            <Ago at={vm.created_at} />
          </p>
        </li>
      ))}
    </ul>
  )
}
