'use client'

import { Dialog } from '@/design/dialog'
import { say } from '@/words/words'

import { PLACES } from './places'

const keys = (): [string, string][] => [
  ['Ctrl K', say('keys.palette')],
  ['/', say('keys.search')],
  ['?', say('keys.sheet')],
  ['Esc', say('keys.close')],
  ...PLACES.map(({ key, label }): [string, string] => [`g ${key}`, say('keys.go', { place: say(label) })]),
]

export function Keys({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onOpenChange={onClose} title={say('keys.title')}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2">
        {keys().map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="rounded-sm border bg-sunken px-1.5 py-0.5 font-mono text-sm">{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
