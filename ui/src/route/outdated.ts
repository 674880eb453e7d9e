import { useSyncExternalStore } from 'react'

/** Whether the server has another version of the UI than this tab. The tab goes on with what it has; what it has not
 * fetched yet is gone. */
let isOutdated = false
const listeners = new Set<() => void>()

function tellOutdated() {
  isOutdated = true
  listeners.forEach((tell) => tell())
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export const useOutdated = () => useSyncExternalStore(subscribe, () => isOutdated, () => false)

export const isOutdatedError = (error: Error) => error.name === 'ChunkLoadError' || /loading (css )?chunk|dynamically imported module/i.test(error.message)

/** For what a missing file is no reason to fail: the page says that it is of an older version. Throws all other errors. */
export function tellIfOutdated(error: Error) {
  if (!isOutdatedError(error)) throw error
  tellOutdated()
}

/** The build that a page is of: the export begins each with it. */
export const buildOf = (html: string) => /^<!doctype html><!--([\w-]+)-->/i.exec(html)?.[1]

/** Looks whether the server serves what this tab was loaded from; to be asked when the server may be another one. */
export async function lookForNewVersion() {
  const mine = [...document.childNodes].find((node) => node.nodeType === Node.COMMENT_NODE)?.nodeValue
  if (!mine) return // in development there is none
  try {
    const answer = await fetch('/login', { cache: 'no-cache' })
    const theirs = answer.ok ? buildOf(await answer.text()) : undefined
    if (theirs !== undefined && theirs !== mine) tellOutdated()
  } catch {
    // gone again; the next connection asks again
  }
}
