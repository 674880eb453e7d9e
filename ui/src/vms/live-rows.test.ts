import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { LiveRows } from './live-rows'

const KEY = [{ _id: 'vmsList', pages: {} }]
const page = (...items: object[]) => ({ items, next_cursor: null })
let queries: QueryClient
let rows: LiveRows
const asked: string[] = []
let answers: Record<string, object> = {}

vi.mock('@/api', () => ({
  vmsGet: ({ path: { vm_id } }: { path: { vm_id: string } }) => {
    asked.push(vm_id)
    const item = answers[vm_id]
    return item ? Promise.resolve({ data: { item } }) : Promise.reject({ error: 'There is no such VM.', code: 'not_found', status: 404 })
  },
}))

function showing(...pages: object[]) {
  queries.setQueryData(KEY, { pages, pageParams: pages.map(() => undefined) })
  new QueryObserver(queries, { queryKey: KEY, queryFn: () => Promise.reject(new Error('not asked')), staleTime: Infinity }).subscribe(() => {})
}

const shown = () => (queries.getQueryData(KEY) as { pages: { items: object[] }[] }).pages.flatMap(({ items }) => items)

beforeEach(() => {
  asked.length = 0
  answers = {}
  queries = new QueryClient()
  rows = new LiveRows(queries)
})

afterEach(() => {
  rows.close()
})

test('of a long list only the row that changed is fetched, and keeps its measurements', async () => {
  answers = { b: { id: 'b', state: 'paused' } }
  showing(page({ id: 'a', state: 'running' }), page({ id: 'b', state: 'running', usage: 7 }))
  await rows.changed(['b'])
  expect(asked).toEqual(['b'])
  expect(shown()).toEqual([{ id: 'a', state: 'running' }, { id: 'b', state: 'paused', usage: 7 }])
})

test('what is gone leaves a long list', async () => {
  showing(page({ id: 'a' }), page({ id: 'b' }))
  await rows.changed(['a'])
  expect(shown()).toEqual([{ id: 'b' }])
})

test('a list of one page is left to be fetched whole', async () => {
  showing(page({ id: 'a' }))
  await rows.changed(['a'])
  expect(asked).toEqual([])
})
