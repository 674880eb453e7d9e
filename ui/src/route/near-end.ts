'use client'

import { useEffect, useRef } from 'react'

const WITHIN_PX = 1200

/** Calls back when the page has been scrolled near to its end, and once after each render that leaves it there. */
export function useNearEnd(reached: () => void) {
  const latest = useRef(reached)
  useEffect(() => {
    latest.current = reached
    look()
  })
  const look = () => {
    const { scrollHeight } = document.documentElement
    if (scrollHeight - window.scrollY - window.innerHeight < WITHIN_PX) latest.current()
  }
  useEffect(() => {
    window.addEventListener('scroll', look, { passive: true })
    return () => window.removeEventListener('scroll', look)
  }, [])
}
