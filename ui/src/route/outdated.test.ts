import { expect, test } from 'vitest'

import { buildOf, isOutdatedError } from './outdated'

test('a page says which build it is of', () => {
  expect(buildOf('<!DOCTYPE html><!--acf080ac12fc7890--><html lang="en">')).toBe('acf080ac12fc7890')
  expect(buildOf('<!DOCTYPE html><html lang="en"><!--x-->')).toBeUndefined()
})

test('a file that is gone is told from other errors', () => {
  expect(isOutdatedError(Object.assign(new Error('x'), { name: 'ChunkLoadError' }))).toBe(true)
  expect(isOutdatedError(new Error('Loading CSS chunk 12 failed.'))).toBe(true)
  expect(isOutdatedError(new Error('a is not a function'))).toBe(false)
})
