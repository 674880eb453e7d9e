import { cva, type VariantProps } from 'class-variance-authority'
import type { ReactNode } from 'react'

import { cn } from './cn'

const look = cva('inline-flex items-center gap-1.5 rounded-sm px-1.5 py-0.5 text-xs font-medium whitespace-nowrap [&_svg]:size-3', {
  variants: {
    tone: {
      ok: 'bg-ok-soft text-ok',
      busy: 'bg-busy-soft text-busy',
      warn: 'bg-warn-soft text-warn',
      bad: 'bg-bad-soft text-bad',
      idle: 'bg-idle-soft text-idle',
      unsure: 'bg-unsure-soft text-unsure',
      accent: 'bg-accent-soft text-accent',
    },
  },
  defaultVariants: { tone: 'idle' },
})

export type Tone = NonNullable<VariantProps<typeof look>['tone']>

export function Badge({ tone, className, children }: { tone?: Tone; className?: string; children: ReactNode }) {
  return (
    <span data-slot="badge" className={cn(look({ tone }), className)}>
      {children}
    </span>
  )
}
