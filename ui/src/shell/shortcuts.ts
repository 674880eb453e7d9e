'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useRef } from 'react'

import { PLACES } from './places'

const SECOND_KEY_WITHIN_MS = 1200

/** The keys that work on every page: Ctrl/Cmd-K, `?`, `/` into the page's search, and `g` then a place's letter. */
export function useShortcuts({ onPalette, onKeys }: { onPalette: () => void; onKeys: () => void }) {
  const router = useRouter()
  const calls = useRef({ onPalette, onKeys })
  useEffect(() => {
    calls.current = { onPalette, onKeys }
  })
  useEffect(() => {
    let goingSince = 0
    const hear = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        calls.current.onPalette()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      const isGoing = event.timeStamp - goingSince < SECOND_KEY_WITHIN_MS
      goingSince = 0
      const place = isGoing ? PLACES.find(({ key }) => key === event.key) : undefined
      if (place) router.push(place.href)
      else if (event.key === 'g') goingSince = event.timeStamp
      else if (event.key === '?') calls.current.onKeys()
      else if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('main input[type=search]')
        if (search) event.preventDefault()
        search?.focus()
      }
    }
    window.addEventListener('keydown', hear)
    return () => window.removeEventListener('keydown', hear)
  }, [router])
}

function isTyping(target: EventTarget | null) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select, [role=dialog] *'))
}
