'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

import { authChangePasswordMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Card } from '@/design/card'
import { Field, Input } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure } from '@/design/states'
import { toast } from '@/design/toast'
import { useSession } from '@/shell/session'
import { say } from '@/words/words'

const LEAST = 8

export function ChangePassword() {
  const { user } = useSession()
  const queries = useQueryClient()
  const [now, setNow] = useState('')
  const [next, setNext] = useState('')
  const change = useMutation({
    ...authChangePasswordMutation(),
    onSuccess: () => {
      setNow('')
      setNext('')
      void queries.invalidateQueries()
      toast.success(say('password.changed'))
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate({ body: { current_password: now, new_password: next } })
  }
  const isShort = next.length > 0 && next.length < LEAST
  return (
    <Card title={say('signIn.password')}>
      <form onSubmit={submit} className="grid gap-4">
        {user?.has_default_password ? (
          <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">{say('password.everybodys')}</p>
        ) : null}
        {change.error ? <Failure refused={refused(change.error)} /> : null}
        <input type="text" name="username" autoComplete="username" value={user?.username ?? ''} readOnly hidden />
        <Field label={say('password.present')}>
          <Input type="password" autoComplete="current-password" value={now} onChange={(event) => setNow(event.target.value)} />
        </Field>
        <Field label={say('password.new')} hint={say('password.atLeast', { count: LEAST })} error={isShort ? say('password.tooShort', { count: LEAST }) : null}>
          <Input type="password" autoComplete="new-password" value={next} onChange={(event) => setNext(event.target.value)} />
        </Field>
        <div>
          <Button type="submit" kind="primary" busy={change.isPending} refusal={now && next.length >= LEAST ? null : say('password.fillFirst')}>
            {say('password.do')}
          </Button>
        </div>
      </form>
    </Card>
  )
}
