'use client'

import { Dialog } from '@/design/dialog'

import { PLACES } from './places'

const KEYS: [string, string][] = [
  ['Ctrl K', 'Search, go somewhere, do something'],
  ['/', 'Search in the list of this page'],
  ['?', 'This sheet'],
  ['Esc', 'Close what is open'],
  ...PLACES.map(({ key, label }): [string, string] => [`g ${key}`, `Go to ${label}`]),
]

export function Keys({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onOpenChange={onClose} title="Keyboard">
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2">
        {KEYS.map(([key, what]) => (
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
