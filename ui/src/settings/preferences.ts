/** How a person wants to read things, kept in this browser. */
export type Preferences = { timeZone: 'local' | 'UTC'; dateStyle: 'locale' | 'iso'; language: 'en' | 'de' }

const KEY = 'nexus.preferences'
const USUAL: Preferences = { timeZone: 'local', dateStyle: 'locale', language: 'en' }

export function preferred(): Preferences {
  if (typeof window === 'undefined') return USUAL
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>
    return {
      timeZone: kept.timeZone === 'UTC' ? 'UTC' : 'local',
      dateStyle: kept.dateStyle === 'iso' ? 'iso' : 'locale',
      language: kept.language === 'de' ? 'de' : 'en',
    }
  } catch {
    return USUAL // kept by something else, or storage is off
  }
}

export function prefer(changes: Partial<Preferences>) {
  localStorage.setItem(KEY, JSON.stringify({ ...preferred(), ...changes }))
}
