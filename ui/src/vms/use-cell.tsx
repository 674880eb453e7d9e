'use client'

import type { ListedVm } from '@/api'
import { Nothing } from '@/design/card'
import { Sparkline } from '@/design/sparkline'

import { KEPT, type Use, useUses } from './usage'

const LISTED = { cpu: 'cpu_usage_percent', memory: 'memory_usage_percent' } as const

/** What a VM uses now, and a line of how that went while the list was open. The place is kept while there is nothing. */
export function UseCell({ vm, of }: { vm: ListedVm; of: keyof Use }) {
  const values = useUses(vm.id).map((use) => use[of])
  const isKnown = vm.usage !== null && vm.usage !== undefined
  const newest = isKnown ? (values.at(-1) ?? vm.usage?.[LISTED[of]]) : null
  return (
    <span className="inline-flex items-center justify-end gap-1 align-middle">
      <Sparkline values={isKnown ? values : []} places={KEPT} />
      <span className="tabular w-11 text-right">{newest === null || newest === undefined ? <Nothing /> : `${newest.toFixed(newest < 10 ? 1 : 0)} %`}</span>
    </span>
  )
}
