'use client'

import { Check, Copy as Icon } from 'lucide-react'
import { useState } from 'react'

import { say } from '@/words/words'

import { Button } from './button'

/** Puts a text on the clipboard and says so. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  return (
    <Button kind="quiet" size="icon" onClick={copy} aria-label={isCopied ? say('copy.done', { what: label }) : label}>
      {isCopied ? <Check aria-hidden className="text-ok" /> : <Icon aria-hidden />}
    </Button>
  )
}
