import { expect, test } from 'vitest'

import { wantedPage } from './session'

test('signing in leads back to the page that was wanted', () => {
  expect(wantedPage('?next=%2Fvms%3Fq%3Dweb')).toBe('/vms?q=web')
})

test.each(['', '?next=', '?next=https://example.org', '?next=//example.org', '?next=/\\example.org', '?next=javascript:alert(1)'])(
  'never to another site: %s',
  (search) => {
    expect(wantedPage(search)).toBe('/dashboard')
  },
)
