'use client'

import { FitAddon } from '@xterm/addon-fit'
import { Terminal as Xterm } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useTheme } from 'next-themes'
import { useEffect, useRef, useState } from 'react'

import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { say } from '@/words/words'

import { ShellConnection, type Status } from './connection'

const SCROLLBACK_LINES = 10_000

/** One shell. Ctrl-Shift-C and Ctrl-Shift-V copy and paste; Tab belongs to the shell. */
export function Terminal({ vmId, label, isShown }: { vmId: string; label: string; isShown: boolean }) {
  const place = useRef<HTMLDivElement>(null)
  const screen = useRef<Xterm | null>(null)
  const [status, setStatus] = useState<Status>({ phase: 'connecting' })
  const [round, setRound] = useState(0)
  const { resolvedTheme } = useTheme()

  useEffect(() => {
    const element = place.current
    if (!element) return
    const xterm = new Xterm({ scrollback: SCROLLBACK_LINES, fontFamily: '"JetBrains Mono Variable", monospace', fontSize: 13, screenReaderMode: true })
    const fit = new FitAddon()
    xterm.loadAddon(fit)
    xterm.open(element)
    xterm.attachCustomKeyEventHandler((event) => !isClipboard(event, xterm))
    fit.fit()
    const connection = new ShellConnection(vmId, () => ({ cols: xterm.cols, rows: xterm.rows }), {
      output: (bytes, shown) => xterm.write(bytes, shown),
      status: setStatus,
    })
    xterm.onData((text) => connection.input(text))
    xterm.onResize(() => connection.resize())
    const resize = new ResizeObserver(() => element.clientWidth > 0 && fit.fit())
    resize.observe(element)
    screen.current = xterm
    xterm.focus()
    return () => {
      resize.disconnect()
      connection.close()
      xterm.dispose()
    }
  }, [vmId, round])

  useEffect(() => {
    if (screen.current && place.current) screen.current.options.theme = colours(place.current)
  }, [resolvedTheme, round])
  useEffect(() => {
    if (isShown) screen.current?.focus()
  }, [isShown])

  return (
    <section aria-label={label} className="flex h-full flex-col overflow-hidden rounded-lg border bg-sunken">
      <div ref={place} className="min-h-0 flex-1 p-2" />
      <footer className="flex items-center gap-3 border-t px-3 py-1.5 text-sm" role="status">
        <StatusWords status={status} />
        {status.phase === 'ended' ? (
          <Button size="sm" onClick={() => setRound(round + 1)}>
            {say('terminal.new')}
          </Button>
        ) : null}
      </footer>
    </section>
  )
}

function StatusWords({ status }: { status: Status }) {
  if (status.phase === 'open') return <Badge tone="ok">{say('terminal.connected')}</Badge>
  if (status.phase === 'ended') return <span>{status.words}</span>
  return <Badge tone={status.phase === 'lost' ? 'warn' : 'busy'}>{status.phase === 'lost' ? say('terminal.lost') : say('terminal.connecting')}</Badge>
}

/** Takes Ctrl-Shift-C for copying; pasting by Ctrl-Shift-V is the browser's own. */
function isClipboard(event: KeyboardEvent, xterm: Xterm) {
  if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey || event.code !== 'KeyC') return false
  event.preventDefault()
  void navigator.clipboard.writeText(xterm.getSelection())
  return true
}

function colours(element: HTMLElement) {
  const style = getComputedStyle(element)
  const color = (token: string) => style.getPropertyValue(token).trim()
  return {
    background: color('--sunken'),
    foreground: color('--text'),
    cursor: color('--accent'),
    selectionBackground: color('--accent-soft'),
    red: color('--bad'),
    green: color('--ok'),
    yellow: color('--warn'),
    blue: color('--busy'),
    magenta: color('--unsure'),
    cyan: color('--accent'),
  }
}
