import { cva, type VariantProps } from 'class-variance-authority'
import { LoaderCircle } from 'lucide-react'
import { Slot } from 'radix-ui'
import type { ComponentProps, MouseEvent } from 'react'

import { cn } from './cn'
import { Tip } from './tip'

const look = cva(
  'inline-flex shrink-0 items-center justify-center gap-2 rounded-md font-medium whitespace-nowrap transition-colors select-none aria-disabled:cursor-not-allowed aria-disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0',
  {
    variants: {
      kind: {
        primary: 'bg-accent text-on-accent hover:bg-accent-strong',
        plain: 'border border-line-strong/50 bg-surface text-text hover:bg-sunken',
        quiet: 'text-muted hover:bg-sunken hover:text-text',
        danger: 'border border-bad/50 text-bad hover:bg-bad-soft',
      },
      size: { md: 'h-9 px-3.5', sm: 'h-8 px-2.5 text-sm', icon: 'size-8' },
    },
    defaultVariants: { kind: 'plain', size: 'md' },
  },
)

export type ButtonProps = Omit<ComponentProps<'button'>, 'disabled'> &
  VariantProps<typeof look> & {
    asChild?: boolean
    /** It cannot be pressed now, and this is why: shown on hover and focus, and told to screen readers. */
    refusal?: string | null
    busy?: boolean
  }

/** A button. One that refuses stays focusable, so that its reason can be reached by keyboard; one that is nothing but an icon
 * shows its name. */
export function Button({ kind, size, asChild, refusal, busy, className, children, onClick, ...rest }: ButtonProps) {
  const Inner = asChild ? Slot.Root : 'button'
  const isOff = Boolean(refusal) || Boolean(busy)
  const press = (event: MouseEvent<HTMLButtonElement>) => (isOff ? event.preventDefault() : onClick?.(event))
  const button = (
    <Inner
      {...(asChild ? {} : { type: 'button' as const })}
      data-slot="button"
      className={cn(look({ kind, size }), className)}
      aria-disabled={isOff || undefined}
      aria-busy={busy || undefined}
      onClick={press}
      {...rest}
    >
      {busy && !asChild ? <LoaderCircle className="animate-spin" aria-hidden /> : null}
      <Slot.Slottable>{children}</Slot.Slottable>
    </Inner>
  )
  if (refusal) return <Tip text={refusal}>{button}</Tip>
  return size === 'icon' && rest['aria-label'] ? <Tip text={rest['aria-label']} isName>{button}</Tip> : button
}
