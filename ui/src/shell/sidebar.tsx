'use client'

import Link from 'next/link'
import { usePathname } from 'next/navigation'

import { cn } from '@/design/cn'
import { say } from '@/words/words'

import { placesFor } from './places'
import { useSession } from './session'

export function Sidebar() {
  const path = usePathname()
  const { isAdmin } = useSession()
  return (
    <div className="p-3">
      <Link href="/dashboard" className="mb-4 flex items-center gap-2.5 px-2 py-1.5 text-lg font-semibold tracking-tight">
        <Mark />
        Nexus
      </Link>
      <nav aria-label={say('shell.main')}>
        <ul className="grid gap-0.5">
          {placesFor(isAdmin).map(({ href, label, icon: Icon }) => {
            const isHere = path === href || path.startsWith(`${href}/`)
            return (
              <li key={href}>
                <Link
                  href={href}
                  aria-current={isHere ? 'page' : undefined}
                  className={cn(
                    'flex items-center gap-2.5 rounded-md px-2.5 py-2 font-medium',
                    isHere ? 'bg-accent-soft text-accent' : 'text-muted hover:bg-sunken hover:text-text',
                  )}
                >
                  <Icon aria-hidden className="size-4" />
                  {say(label)}
                </Link>
              </li>
            )
          })}
        </ul>
      </nav>
    </div>
  )
}

/** Three machines around one point. */
export function Mark({ size = 'size-6' }: { size?: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden className={cn('text-accent', size)} fill="none" stroke="currentColor" strokeWidth="1.8">
      <path d="M12 12 5 6.5M12 12l7-5.5M12 12v7.5" />
      <circle cx="12" cy="12" r="2.2" fill="currentColor" />
      <rect x="2.5" y="3" width="5" height="5" rx="1.2" />
      <rect x="16.5" y="3" width="5" height="5" rx="1.2" />
      <rect x="9.5" y="17" width="5" height="5" rx="1.2" />
    </svg>
  )
}
