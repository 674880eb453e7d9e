'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { type FormEvent, useState } from 'react'

import { authLoginMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Field, Input } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure } from '@/design/states'
import { say } from '@/words/words'

import { wantedPage } from './session'
import { Mark } from './sidebar'

export function SignIn() {
  const router = useRouter()
  const queries = useQueryClient()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const login = useMutation({
    ...authLoginMutation(),
    onSuccess: () => {
      queries.clear()
      router.replace(wantedPage(location.search))
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate({ body: { username, password } })
  }
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-3">
          <Mark size="size-9" />
          <div>
            <h1 className="text-2xl font-semibold tracking-tight">Nexus</h1>
            <p className="text-muted">{say('signIn.title')}</p>
          </div>
        </div>
        <form onSubmit={submit} className="grid gap-4 rounded-lg border bg-surface p-5">
          {login.error ? <Failure refused={refused(login.error)} /> : null}
          <Field label={say('signIn.user')}>
            <Input name="username" autoComplete="username" autoCapitalize="none" autoFocus value={username} onChange={(event) => setUsername(event.target.value)} />
          </Field>
          <Field label={say('signIn.password')}>
            <Input name="password" type="password" autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          </Field>
          <Button type="submit" kind="primary" busy={login.isPending} refusal={username && password ? null : say('signIn.missing')}>
            {say('signIn.do')}
          </Button>
        </form>
        <p className="mt-4 text-sm text-muted">
          {say('signIn.first')}
        </p>
      </div>
    </main>
  )
}
