import { describe, expect, test } from 'vitest'

import { cliOf, restoreCliOf } from './cli'
import { BLANK, bodyOf, curlOf, errorsOf, restoreCurlOf } from './draft'
import { generatedPassword } from './password'

const draft = { ...BLANK, name: 'web-1' }

describe('a draft', () => {
  test('needs a name and nothing else', () => {
    expect(Object.keys(errorsOf(BLANK))).toEqual(['name'])
    expect(errorsOf(draft)).toEqual({})
  })

  test.each(['a', 'ab', '-ab', 'ab-', 'a b', 'ä'.repeat(5), 'a'.repeat(64)])('refuses the name %j, as the API does', (name) => {
    expect(errorsOf({ ...draft, name })).toHaveProperty('name')
  })

  test.each([
    ['vcpu', '0'],
    ['vcpu', '33'],
    ['vcpu', '1.5'],
    ['vcpu', ''],
    ['memMib', '127'],
    ['memMib', '1e9'],
    ['diskGib', '0'],
  ])('refuses %s = %j', (field, value) => {
    expect(errorsOf({ ...draft, [field]: value })).toHaveProperty(field)
  })

  test('sends only what differs from the defaults', () => {
    expect(bodyOf(draft)).toEqual({ name: 'web-1', vcpu: 1, mem_mib: 512 })
    const full = { ...draft, diskGib: '10', tags: ' db  prod ', restartAlways: true, start: false, password: 'secret' }
    expect(bodyOf(full)).toMatchObject({ disk_size_bytes: 10 * 1024 ** 3, tags: ['db', 'prod'], restart_policy: 'always', start: false, password: 'secret' })
  })

  test('shows no password in its commands', () => {
    const secret = { ...draft, password: 'hunter22' }
    expect(cliOf(secret)).toBe('nexus vm create web-1 --password-stdin')
    expect(curlOf(secret, 'http://host')).not.toContain('hunter22')
  })

  test('quotes for the shell', () => {
    expect(cliOf({ ...draft, description: "Bob's; rm -rf /" })).toBe(`nexus vm create web-1 --description 'Bob'\\''s; rm -rf /'`)
    expect(curlOf({ ...draft, description: "it's" }, 'http://host')).toContain(`it'\\''s`)
  })
})

test('a VM of a snapshot is given its name and description in both commands, or neither', () => {
  const kept = { id: '7', name: 'kept' }
  const vm = { name: 'web-2', description: "Bob's" }
  expect(restoreCliOf(kept, vm)).toBe(`nexus snapshot restore kept web-2 --description 'Bob'\\''s'`)
  expect(restoreCurlOf(kept, vm, 'http://host')).toContain(`http://host/v1/snapshots/7/instantiate`)
  expect(restoreCurlOf(kept, vm, 'http://host')).toContain(`'{"name":"web-2","description":"Bob'\\''s"}'`)
  expect(restoreCliOf(kept, { name: '', description: '' })).toBe('nexus snapshot restore kept')
  expect(restoreCurlOf(kept, { name: '', description: '' }, 'http://host')).toContain(`-d '{}'`)
})

test('passwords made up are long, plain and never the same', () => {
  const made = Array.from({ length: 50 }, generatedPassword)
  expect(new Set(made).size).toBe(50)
  for (const password of made) expect(password).toMatch(/^[A-Za-z2-9]{20}$/)
})
