import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { line } from '@/design/line'

import { KEPT, UsageFeed } from './usage'

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

  close() {}
}

let feed: UsageFeed
const say = (...items: object[]) => Socket.made.at(-1)!.onmessage?.({ data: JSON.stringify({ type: 'usage', items }) })

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('location', { origin: 'https://nexus.test' })
  Socket.made = []
  feed = new UsageFeed()
  feed.open()
})

afterEach(() => {
  feed.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('whoever looks at a VM is told what it uses, the newest last, and no more than is shown', () => {
  const told = vi.fn()
  feed.watch('a', told)
  for (let cpu = 0; cpu <= KEPT; cpu++) say({ vm_id: 'a', cpu_usage_percent: cpu, memory_usage_percent: null }, { vm_id: 'b', cpu_usage_percent: 1 })
  expect(told).toHaveBeenCalledTimes(KEPT + 1)
  expect(feed.of('a')).toHaveLength(KEPT)
  expect(feed.of('a').at(-1)).toEqual({ cpu: KEPT, memory: null })
  expect(feed.of('b')).toEqual([])
})

test('a stream that ends is begun again', () => {
  Socket.made.at(-1)!.onclose?.()
  vi.advanceTimersByTime(2000)
  expect(Socket.made).toHaveLength(2)
})

test('a line has gaps where nothing was known, and one value is a dot', () => {
  expect(line([100, 0, null, 50], 4)).toBe('M0.0 1.5L13.3 16.5M40.0 9.0h.01')
  expect(line([], 4)).toBe('')
})
