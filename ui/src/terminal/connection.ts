import { closeSocket, socketUrl } from '@/route/socket'
import { say } from '@/words/words'

/** A shell over WebSocket (docs/protocol/streams.md): raw bytes out, JSON control; taken up again where it was lost. */
export type Told =
  | { type: 'session'; id: string; offset: number }
  | { type: 'exit'; code: number }
  | { type: 'error'; error: string; suggestion?: string | null }

export type Status = { phase: 'connecting' | 'open' | 'lost' } | { phase: 'ended'; words: string }

const FIRST_PAUSE_MS = 400
const LONGEST_PAUSE_MS = 8000
const ACKNOWLEDGED_AFTER_BYTES = 64 * 1024

export class ShellConnection {
  private socket: WebSocket | null = null
  private session: string | null = null
  private offset = 0
  private acknowledged = 0
  private pause = FIRST_PAUSE_MS
  private timer: ReturnType<typeof setTimeout> | undefined
  private isOver = false

  constructor(
    private readonly vmId: string,
    private readonly size: () => { cols: number; rows: number },
    private readonly on: { output: (bytes: Uint8Array, shown: () => void) => void; status: (status: Status) => void },
  ) {
    this.connect()
  }

  input(text: string) {
    this.send(JSON.stringify({ type: 'input', data: text }))
  }

  resize() {
    this.send(JSON.stringify({ type: 'resize', ...this.size() }))
  }

  /** Leave for good: the shell in the guest is told that nobody writes any more. */
  close() {
    this.send(JSON.stringify({ type: 'signal', signal: 1 }))
    this.isOver = true
    clearTimeout(this.timer)
    if (this.socket) closeSocket(this.socket)
  }

  /** Says how far output has been shown. Only with that the guest keeps what has not, and lets its program wait. */
  private acknowledge(offset: number, after = ACKNOWLEDGED_AFTER_BYTES) {
    if (offset - this.acknowledged < after) return
    this.acknowledged = offset
    this.send(JSON.stringify({ type: 'ack', offset }))
  }

  private send(message: string) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(message)
  }

  private connect() {
    const { cols, rows } = this.size()
    const query = new URLSearchParams({ framing: 'binary', cols: String(cols), rows: String(rows) })
    if (this.session !== null) {
      query.set('session', this.session)
      query.set('offset', String(this.offset))
    }
    this.on.status({ phase: 'connecting' })
    const socket = new WebSocket(socketUrl(`/v1/vms/${this.vmId}/shell/ws?${query}`))
    socket.binaryType = 'arraybuffer'
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') this.hear(JSON.parse(data) as Told)
      else {
        this.offset += data.byteLength
        const end = this.offset
        this.on.output(new Uint8Array(data), () => this.acknowledge(end))
      }
    }
    socket.onclose = () => {
      if (this.isOver) return
      this.on.status({ phase: 'lost' })
      this.timer = setTimeout(() => this.connect(), this.pause)
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS)
    }
    this.socket = socket
  }

  private hear(told: Told) {
    if (told.type === 'session') {
      this.session = told.id
      this.offset = told.offset
      this.acknowledge(told.offset, 0)
      this.pause = FIRST_PAUSE_MS
      this.on.status({ phase: 'open' })
      this.resize()
    } else if (told.type === 'exit') {
      this.end(say('terminal.ended', { code: told.code }))
      this.socket?.close() // the manager waits for whoever acknowledges
    } else {
      this.end([told.error, told.suggestion].filter(Boolean).join(' '))
    }
  }

  private end(words: string) {
    this.isOver = true
    this.on.status({ phase: 'ended', words })
  }
}
