import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { Stream } from './live'

class Socket {
  static readonly CONNECTING = 0
  static made: Socket[] = []
  readyState = 1
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onmessage: ((message: { data: string }) => void) | null = null

  constructor(readonly url: string) {
    Socket.made.push(this)
  }

  say(news: object) {
    this.onmessage?.({ data: JSON.stringify(news) })
  }

  close() {}
}

const last = () => Socket.made.at(-1)!
let looked: ReturnType<typeof vi.spyOn>
let stream: Stream

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('location', { origin: 'https://nexus.test' })
  Socket.made = []
  const queries = new QueryClient()
  looked = vi.spyOn(queries, 'invalidateQueries')
  stream = new Stream(queries, () => {})
  last().onopen?.()
  last().say({ type: 'hello', seq: 7 })
  looked.mockClear()
})

afterEach(() => {
  stream.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('a connection that was lost is taken up where it ended, and nothing is fetched again for it', () => {
  last().onclose?.()
  vi.advanceTimersByTime(500)
  expect(last().url).toBe('wss://nexus.test/v1/events?since=7')
  last().onopen?.()
  last().say({ type: 'hello', seq: 7 })
  expect(looked).not.toHaveBeenCalled()
})

test('what happened between a failed connection and the next one is looked for when that one is there', () => {
  last().onclose?.()
  vi.advanceTimersByTime(500)
  last().onclose?.()
  vi.advanceTimersByTime(1000)
  expect(last().url).toBe('wss://nexus.test/v1/events')
  last().onopen?.()
  looked.mockClear()
  last().say({ type: 'hello', seq: 12 })
  expect(looked).toHaveBeenCalledTimes(1)
})

test('news of a VM renews what is known of VMs and their configuration, once for many', () => {
  const queries = new QueryClient()
  const seen: string[] = []
  looked.mockRestore()
  stream.close()
  stream = new Stream(queries, () => {})
  for (const _id of ['vmsList', 'vmConfigGetMachineConfig', 'drivesList', 'imagesList']) queries.setQueryData([{ _id }], {})
  last().say({ type: 'hello', seq: 1 })
  for (const query of queries.getQueryCache().getAll()) query.setState({ isInvalidated: false })
  for (const seq of [2, 3]) last().say({ seq, at: '', type: 'vm.changed', subject_kind: 'vm', subject_id: 'x', data: {} })
  vi.advanceTimersByTime(100)
  for (const query of queries.getQueryCache().getAll()) if (query.state.isInvalidated) seen.push((query.queryKey[0] as { _id: string })._id)
  expect(seen).toEqual(['vmsList', 'vmConfigGetMachineConfig', 'drivesList'])
})
