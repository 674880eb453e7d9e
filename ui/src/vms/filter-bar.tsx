'use client'

import { Search, X } from 'lucide-react'
import { useEffect, useState } from 'react'

import type { State } from '@/api'
import { Button } from '@/design/button'
import { Input, Select } from '@/design/field'
import { useUrlState } from '@/route/route'
import { say } from '@/words/words'

const STATES: State[] = ['running', 'paused', 'stopped', 'creating', 'starting', 'stopping', 'suspended', 'error', 'unknown', 'deleting']
/** States that somebody has to look after. */
export const IN_TROUBLE: State[] = ['error', 'unknown']
const TYPING_PAUSE_MS = 150

export function FilterBar() {
  const [q, setQ] = useUrlState('q')
  const [state, setState] = useUrlState('state')
  const [tag, setTag] = useUrlState('tag')
  const [host, setHost] = useUrlState('host')
  const [words, setWords] = useState(q)
  useEffect(() => setWords(q), [q])
  useEffect(() => {
    if (words === q) return
    const timer = setTimeout(() => setQ(words), TYPING_PAUSE_MS)
    return () => clearTimeout(timer)
  }, [words, q, setQ])
  return (
    <>
      <div className="relative w-full sm:w-72">
        <Search aria-hidden className="absolute top-2.5 left-2.5 size-4 text-muted" />
        <Input type="search" aria-label={say('vms.search')} placeholder={say('list.searchByName')} className="pl-8.5" value={words} onChange={(event) => setWords(event.target.value)} />
      </div>
      <Select aria-label={say('vm.state')} className="w-36" value={state} onChange={(event) => setState(event.target.value)}>
        <option value="">{say('vms.anyState')}</option>
        {STATES.map((one) => (
          <option key={one} value={one}>
            {say(`state.${one}`)}
          </option>
        ))}
        <option value={IN_TROUBLE.join()}>{say('vms.inTrouble')}</option>
      </Select>
      <Chosen what={say('vm.tag')} value={tag} onRemove={() => setTag('')} />
      <Chosen what={say('vm.host')} value={host} onRemove={() => setHost('')} />
    </>
  )
}

function Chosen({ what, value, onRemove }: { what: string; value: string; onRemove: () => void }) {
  return value ? (
    <Button size="sm" onClick={onRemove}>
      {what} {value} <X aria-hidden />
      <span className="sr-only">: {say('list.removeFilter')}</span>
    </Button>
  ) : null
}
