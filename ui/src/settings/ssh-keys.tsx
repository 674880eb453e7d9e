'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'

import { sshKeysDelete } from '@/api'
import { sshKeysCreateMutation, sshKeysListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Card } from '@/design/card'
import { useConfirm } from '@/design/confirm'
import { Field, Input, Textarea } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

/** Public keys that new machines can be told to let in. */
export function SshKeys() {
  const { mayChange } = useSession()
  const queries = useQueryClient()
  const confirm = useConfirm()
  const keys = useQuery(sshKeysListOptions({ query: { limit: 200 } }))
  const again = () => void queries.invalidateQueries()
  const tell = useTell()
  return (
    <Card title={say('vm.sshKeys')}>
      <div className="grid gap-4">
        {keys.isPending ? <Loading rows={2} /> : null}
        {keys.error ? <Failure refused={refused(keys.error)} onRetry={() => void keys.refetch()} /> : null}
        {keys.data?.items.length === 0 ? <p className="text-muted">{say('sshKeys.none')}</p> : null}
        <ul className="divide-y">
          {keys.data?.items.map((key) => (
            <li key={key.id} className="flex items-center justify-between gap-3 py-2">
              <span className="min-w-0">
                <span className="font-medium">{key.name}</span> <span className="text-sm text-muted">{key.type}</span>
                <code className="block truncate font-mono text-xs text-muted">{key.fingerprint}</code>
              </span>
              {mayChange ? (
                <Button
                  kind="quiet"
                  size="icon"
                  aria-label={say('sshKeys.deleteOne', { name: key.name })}
                  onClick={async () => {
                    const body = <p>{say('sshKeys.deleteLost')}</p>
                    if (await confirm({ title: say('sshKeys.delete', { name: key.name }), body, action: say('verb.delete'), isDangerous: true }))
                      await tell(sshKeysDelete({ path: { key_id: key.id }, throwOnError: true }), say('done.deleted', { what: key.name }))
                  }}
                >
                  <Trash2 aria-hidden />
                </Button>
              ) : null}
            </li>
          ))}
        </ul>
        {mayChange ? <AddKey onAdded={again} /> : null}
      </div>
    </Card>
  )
}

function AddKey({ onAdded }: { onAdded: () => void }) {
  const [name, setName] = useState('')
  const [text, setText] = useState('')
  const add = useMutation({
    ...sshKeysCreateMutation(),
    onSuccess: () => {
      setName('')
      setText('')
      onAdded()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    add.mutate({ body: { name, public_key: text.trim() } })
  }
  return (
    <form onSubmit={submit} className="grid gap-3 border-t pt-4">
      {add.error ? <Failure refused={refused(add.error)} /> : null}
      <Field label={say('vm.name')}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={say('sshKeys.public')} hint={say('sshKeys.publicHint')}>
        <Textarea className="font-mono text-sm" value={text} onChange={(event) => setText(event.target.value)} />
      </Field>
      <div>
        <Button type="submit" busy={add.isPending} refusal={name && text.trim() ? null : say('sshKeys.fillFirst')}>
          {say('sshKeys.add')}
        </Button>
      </div>
    </form>
  )
}
