import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { de } from './de'
import { en, type Key } from './en'
import { say, sayCount, speak } from './words'

const blanks = (words: string) => (words.match(/\{\w+\}/g) ?? []).sort()

beforeEach(() => void vi.stubGlobal('document', { documentElement: { lang: 'en' } }))

afterEach(async () => {
  await speak('en')
  vi.unstubAllGlobals()
})

test('every language says everything that English says, and fills in the same', () => {
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort())
  for (const key of Object.keys(en) as Key[]) {
    expect(de[key].trim(), key).not.toBe('')
    expect(blanks(de[key]), key).toEqual(blanks(en[key]))
  }
})

test('what is said is filled in, in the language that is spoken', async () => {
  expect(say('vm.more', { name: 'web-1' })).toBe('More for web-1')
  await speak('de')
  expect(say('vm.more', { name: 'web-1' })).toBe('Mehr zu web-1')
  expect(document.documentElement.lang).toBe('de')
})

test('a number chooses between one and several', () => {
  expect([1, 2].map((count) => sayCount('vm.vcpu', count))).toEqual(['1 vCPU', '2 vCPUs'])
})
