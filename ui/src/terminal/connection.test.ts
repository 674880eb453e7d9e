import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { ShellConnection } from './connection'

class Socket {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static made: Socket[] = []
  readyState = 1
  sent: Record<string, unknown>[] = []
  onclose: (() => void) | null = null
  onmessage: ((message: { data: string | ArrayBuffer }) => void) | null = null

  constructor(readonly url: string) {
    Socket.made.push(this)
  }

  send(message: string) {
    this.sent.push(JSON.parse(message) as Record<string, unknown>)
  }

  say(told: object) {
    this.onmessage?.({ data: JSON.stringify(told) })
  }

  print(bytes: number) {
    this.onmessage?.({ data: new ArrayBuffer(bytes) })
  }

  close() {}
}

const last = () => Socket.made.at(-1)!
const acknowledged = () => last().sent.flatMap(({ type, offset }) => (type === 'ack' ? [offset] : []))
let waiting: (() => void)[]
let connection: ShellConnection

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('location', { origin: 'https://nexus.test' })
  Socket.made = []
  waiting = []
  connection = new ShellConnection('vm', () => ({ cols: 80, rows: 24 }), { output: (_, shown) => waiting.push(shown), status: () => {} })
  last().say({ type: 'session', id: 's', offset: 0 })
})

afterEach(() => {
  connection.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('output is acknowledged when it has been shown, not when it has come', () => {
  expect(acknowledged()).toEqual([0])
  last().print(40_000)
  last().print(40_000)
  expect(acknowledged()).toEqual([0])
  waiting.forEach((shown) => shown())
  expect(acknowledged()).toEqual([0, 80_000])
})

test('a lost connection goes on from what has come, and says so', () => {
  last().print(1000)
  last().onclose?.()
  vi.advanceTimersByTime(400)
  expect(last().url).toContain('session=s&offset=1000')
  last().say({ type: 'session', id: 's', offset: 1000 })
  expect(acknowledged()).toEqual([1000])
})
