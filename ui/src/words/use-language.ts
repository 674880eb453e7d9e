'use client'

import { useEffect, useSyncExternalStore } from 'react'

import { preferred } from '@/settings/preferences'

import { type Language, language, onLanguage, speak } from './words'

/** The language that is spoken: English in the exported page, then the preferred one as soon as it has come. */
export function useLanguage(): Language {
  const spoken = useSyncExternalStore(onLanguage, language, () => 'en' as const)
  useEffect(() => {
    const wanted = preferred().language
    if (wanted !== language()) void speak(wanted)
  }, [])
  return spoken
}
