'use client'

import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

import type { EventBody, Marker } from '@/events/types'
import { lookForNewVersion } from '@/route/outdated'
import { closeSocket, socketUrl } from '@/route/socket'
import { isLongList, LiveRows } from '@/vms/live-rows'

export type Connection = 'connecting' | 'live' | 'lost'

/** News of one change come together; those that follow soon wait for one another longer. */
const GATHER_FIRST_MS = 10
const GATHER_MS = 60
const QUIET_MS = 500
const LONGEST_PAUSE_MS = 15_000
/** What is looked at anew on news of a subject: calls of the API whose names begin so. */
const NOUNS: Record<string, string[]> = {
  vm: ['vm', 'drives', 'nics', 'snapshots'],
  operation: ['operations'],
  host: ['hosts'],
  image: ['images'],
  ssh_key: ['sshKeys'],
  template: ['templates'],
  snapshot: ['snapshots'],
}

/** The one stream of events that keeps every open view true. Lost connections are taken up where they ended. */
export function useLive(isSignedIn: boolean): Connection {
  const queries = useQueryClient()
  const [connection, setConnection] = useState<Connection>('connecting')
  useEffect(() => {
    if (!isSignedIn) return
    let wasLost = false
    const stream = new Stream(queries, (next) => {
      setConnection(next)
      // whoever answers now may be another version
      if (next === 'lost') wasLost = true
      else if (wasLost) void lookForNewVersion()
    })
    return () => stream.close()
  }, [queries, isSignedIn])
  return connection
}

/** The connection behind `useLive`. */
export class Stream {
  private socket: WebSocket | null = null
  private seq: number | null = null
  private pause = 500
  private timer: ReturnType<typeof setTimeout> | undefined
  private gathered = new Map<string, Set<string>>()
  private readonly rows: LiveRows
  private gathering: ReturnType<typeof setTimeout> | undefined
  private refreshedAt = 0

  constructor(
    private readonly queries: QueryClient,
    private readonly tell: (connection: Connection) => void,
  ) {
    this.rows = new LiveRows(queries)
    this.connect()
  }

  close() {
    clearTimeout(this.timer)
    clearTimeout(this.gathering)
    this.rows.close()
    if (this.socket) closeSocket(this.socket)
  }

  private connect() {
    const since = this.seq === null ? '' : `?since=${this.seq}`
    const socket = new WebSocket(socketUrl(`/v1/events${since}`))
    let hasOpened = false
    socket.onopen = () => {
      hasOpened = true
      this.pause = 500
      this.tell('live')
    }
    socket.onmessage = ({ data }: MessageEvent<string>) => this.hear(JSON.parse(data) as EventBody | Marker)
    socket.onclose = () => {
      this.tell('lost')
      // never opened: perhaps the position is too old, perhaps the session is over, which the next answer says
      if (!hasOpened) {
        this.seq = null
        void this.queries.invalidateQueries()
      }
      this.timer = setTimeout(() => this.connect(), this.pause)
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS)
    }
    this.socket = socket
  }

  private hear(news: EventBody | Marker) {
    // from here on nothing is missed; what was fetched before may be of a time that nobody told of
    if (this.seq === null) void this.queries.invalidateQueries({}, { cancelRefetch: false })
    this.seq = news.seq
    if (!('subject_kind' in news)) return
    this.gathered.set(news.subject_kind, (this.gathered.get(news.subject_kind) ?? new Set()).add(news.subject_id))
    this.gathering ??= setTimeout(() => this.refresh(), Date.now() - this.refreshedAt > QUIET_MS ? GATHER_FIRST_MS : GATHER_MS)
  }

  private refresh() {
    this.refreshedAt = Date.now()
    const nouns = [...this.gathered.keys()].flatMap((kind) => NOUNS[kind] ?? [])
    void this.rows.changed([...(this.gathered.get('vm') ?? [])])
    this.gathered.clear()
    this.gathering = undefined
    void this.queries.invalidateQueries({
      predicate: (query) => {
        const id = (query.queryKey[0] as { _id?: string } | undefined)?._id
        return id !== undefined && !isLongList(query) && nouns.some((noun) => id.startsWith(noun))
      },
    })
  }
}
