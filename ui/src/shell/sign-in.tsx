'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { type FormEvent, useState } from 'react'

import { authLoginMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Field, Input } from '@/design/field'
import { refused } from '@/design/refused'
import { Failure } from '@/design/states'

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
            <p className="text-muted">Sign in to this server</p>
          </div>
        </div>
        <form onSubmit={submit} className="grid gap-4 rounded-lg border bg-surface p-5">
          {login.error ? <Failure refused={refused(login.error)} /> : null}
          <Field label="User name">
            <Input name="username" autoComplete="username" autoCapitalize="none" autoFocus value={username} onChange={(event) => setUsername(event.target.value)} />
          </Field>
          <Field label="Password">
            <Input name="password" type="password" autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          </Field>
          <Button type="submit" kind="primary" busy={login.isPending} refusal={username && password ? null : 'Enter user name and password first'}>
            Sign in
          </Button>
        </form>
        <p className="mt-4 text-sm text-muted">
          A new installation on one machine starts with the user <code className="font-mono">root</code> and the password <code className="font-mono">root</code>: change it in
          Settings.
        </p>
      </div>
    </main>
  )
}
