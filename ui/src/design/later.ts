import dynamic from 'next/dynamic'
import type { ComponentType } from 'react'

import { tellIfOutdated } from '@/route/outdated'

const PATIENCE_MS = 3000

/** A component that is not part of the first load: it is fetched when the browser has nothing else to do, or when it is
 * first shown, whichever is sooner. For what opens on a person's wish: dialogs, menus, the palette. */
export function later<P>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  const loadOrTell = () => load().catch(orTell<P>)
  if (typeof window !== 'undefined') whenIdle(() => void load().catch(() => {})) // shown, it says itself what is wrong
  return dynamic(loadOrTell, { ssr: false })
}

/** A file that is gone since an upgrade is no reason to lose the page: nothing opens, and the page says why. */
function orTell<P>(error: Error): ComponentType<P> {
  tellIfOutdated(error)
  return () => null
}

/** Calls back when the browser is idle; Safari has no such call, and waits a moment instead. */
function whenIdle(call: () => void) {
  if ('requestIdleCallback' in window) requestIdleCallback(call, { timeout: PATIENCE_MS })
  else setTimeout(call, PATIENCE_MS / 3)
}
