'use client'

import { Slot } from 'radix-ui'
import { type CSSProperties, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'

const SHOWN_AFTER_MS = 300
const GONE_AFTER_MS = 120
const GAP_PX = 6
const EDGE_PX = 8

/** A short text on hover and focus of what it surrounds. It can be hovered itself, and Esc takes it away (WCAG 1.4.13).
 * Made by hand because most buttons of a long list carry one: nothing is mounted until it shows. `isName`: it says no more than
 * screen readers know, so it is in nobody's way: gone on a press, and not there for a focus that nobody sees. */
export function Tip({ text, isName, children }: { text: ReactNode; isName?: boolean; children: ReactNode }) {
  const id = useId()
  const anchor = useRef<HTMLElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const [isShown, setShown] = useState(false)
  useEffect(() => () => clearTimeout(timer.current), [])
  const soon = (next: boolean, ms: number) => {
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setShown(next), ms)
  }
  return (
    <>
      <Slot.Root
        ref={anchor}
        aria-describedby={isShown && !isName ? id : undefined}
        onPointerEnter={() => soon(true, SHOWN_AFTER_MS)}
        onPointerLeave={() => soon(false, GONE_AFTER_MS)}
        onFocus={(event) => (!isName || event.currentTarget.matches(':focus-visible')) && soon(true, 0)}
        onPointerDown={() => isName && soon(false, 0)}
        onBlur={() => soon(false, 0)}
        onKeyDown={(event) => event.key === 'Escape' && soon(false, 0)}
      >
        {children}
      </Slot.Root>
      {isShown && anchor.current
        ? createPortal(
            <Text id={id} anchor={anchor.current} onEnter={() => soon(true, 0)} onGone={() => soon(false, GONE_AFTER_MS)}>
              {text}
            </Text>,
            document.body,
          )
        : null}
    </>
  )
}

function Text({ id, anchor, onEnter, onGone, children }: { id: string; anchor: HTMLElement; onEnter: () => void; onGone: () => void; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null)
  const [style, setStyle] = useState<CSSProperties>({ visibility: 'hidden', top: 0, left: 0 })
  useLayoutEffect(() => {
    if (box.current) setStyle(placeBeside(anchor.getBoundingClientRect(), box.current.getBoundingClientRect()))
  }, [anchor])
  useEffect(() => {
    window.addEventListener('scroll', onGone, { passive: true, once: true })
    return () => window.removeEventListener('scroll', onGone)
  }, [onGone])
  return (
    <div
      ref={box}
      id={id}
      role="tooltip"
      style={style}
      onPointerEnter={onEnter}
      onPointerLeave={onGone}
      className="fixed z-50 w-max max-w-80 rounded-md border bg-raised px-2.5 py-1.5 text-sm text-text shadow-pop"
    >
      {children}
    </div>
  )
}

/** Above its anchor where there is room, else below it, and never past the window's edge. */
function placeBeside(anchor: DOMRect, box: DOMRect): CSSProperties {
  const above = anchor.top - box.height - GAP_PX
  const centred = anchor.left + anchor.width / 2 - box.width / 2
  return {
    top: above >= EDGE_PX ? above : anchor.bottom + GAP_PX,
    left: Math.max(EDGE_PX, Math.min(centred, window.innerWidth - box.width - EDGE_PX)),
  }
}
