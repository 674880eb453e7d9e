'use client'

import { Menu as MenuIcon } from 'lucide-react'
import { usePathname, useRouter } from 'next/navigation'
import { type ReactNode, useEffect, useState } from 'react'

import { Button } from '@/design/button'
import { Dialog } from '@/design/dialog'
import { later } from '@/design/later'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { useHydrated } from '@/route/route'
import { say } from '@/words/words'

import { useLive } from './live'
import { NewVersion } from './new-version'
import { isSignedOut, signInPage, useSession } from './session'
import { Sidebar } from './sidebar'
import { Topbar } from './topbar'
import { useShortcuts } from './shortcuts'

const Palette = later(() => import('./palette').then((module) => module.Palette))
const Keys = later(() => import('./keys').then((module) => module.Keys))

/** What surrounds every page of somebody who is signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const { user, thrown, retry } = useSession()
  const router = useRouter()
  const isHydrated = useHydrated()
  const isOut = isSignedOut(thrown)
  const connection = useLive(user !== undefined)
  const [open, setOpen] = useState<'palette' | 'keys' | 'menu' | null>(null)
  useShortcuts({ onPalette: () => setOpen('palette'), onKeys: () => setOpen('keys') })
  const path = usePathname()
  useEffect(() => setOpen((now) => (now === 'menu' ? null : now)), [path])
  useEffect(() => {
    if (isOut) router.replace(signInPage(location.pathname + location.search))
  }, [isOut, router])

  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[14rem_minmax(0,1fr)]">
      <a href="#content" className="sr-only z-50 rounded-md bg-raised px-3 py-2 focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {say('shell.skip')}
      </a>
      <aside className="sticky top-0 hidden h-dvh overflow-y-auto border-r bg-surface lg:block">
        <Sidebar />
      </aside>
      <div className="flex min-w-0 flex-col">
        <Topbar
          connection={connection}
          onPalette={() => setOpen('palette')}
          menu={
            <Button kind="quiet" size="icon" aria-label={say('shell.menu')} className="lg:hidden" onClick={() => setOpen('menu')}>
              <MenuIcon aria-hidden />
            </Button>
          }
        />
        <NewVersion />
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[100rem] flex-1 p-4 outline-none sm:p-6">
          {isHydrated && user ? children : thrown && !isOut ? <Failure refused={refused(thrown)} onRetry={retry} /> : <Loading />}
        </main>
      </div>
      <Dialog open={open === 'menu'} onOpenChange={() => setOpen(null)} title={say('shell.menu')}>
        <Sidebar />
      </Dialog>
      {open === 'palette' ? <Palette onClose={() => setOpen(null)} /> : null}
      {open === 'keys' ? <Keys onClose={() => setOpen(null)} /> : null}
    </div>
  )
}
