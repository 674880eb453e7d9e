import { preferred } from '@/settings/preferences'

import { en, type Key, type Words } from './en'

export type { Key } from './en'

/** The languages there are, by what they call themselves. What is chosen is fetched; English is always there. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof LANGUAGES

const LOADS: Record<Exclude<Language, 'en'>, () => Promise<Words>> = { de: () => import('./de').then((module) => module.de) }

let current: { language: Language; words: Words } = { language: 'en', words: en }
const listeners = new Set<() => void>()

/** Speaks another language from now on; everything is drawn anew (`use-language.ts`). */
export async function speak(next: Language) {
  const words = next === 'en' ? en : await LOADS[next]()
  current = { language: next, words }
  document.documentElement.lang = next
  listeners.forEach((tell) => tell())
}

/** Calls back whenever another language is spoken; the answer ends that. */
export function onLanguage(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export const language = (): Language => current.language

/** How dates and numbers are written: as this browser does it, unless another language than English was chosen. */
export const locale = () => (preferred().language === 'en' ? undefined : current.language)

/** The words for a key, with what is to be filled in. Used while rendering, never kept: the language may change. */
export function say(key: Key, values: Record<string, string | number> = {}): string {
  return current.words[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

type Counted = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never

/** The same for what depends on a number, which is filled in as `count`. */
export function sayCount(base: Counted, count: number): string {
  const isOne = new Intl.PluralRules(current.language).select(count) === 'one'
  return say(`${base}.${isOne ? 'one' : 'other'}`, { count })
}
