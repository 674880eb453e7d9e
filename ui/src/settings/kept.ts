'use client'

import { useState } from 'react'

/** State that this browser keeps, for conveniences only. */
export function useKept<T>(name: string, usual: T): [T, (value: T) => void] {
  const key = `nexus.${name}`
  const [value, setValue] = useState<T>(() => read(key) ?? usual)
  const keep = (next: T) => {
    setValue(next)
    localStorage.setItem(key, JSON.stringify(next))
  }
  return [value, keep]
}

function read<T>(key: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') as T | null
  } catch {
    return null // written by something else
  }
}
