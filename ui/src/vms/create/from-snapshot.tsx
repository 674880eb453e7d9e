'use client'

import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Camera } from 'lucide-react'
import Link from 'next/link'
import { useRouter } from 'next/navigation'
import { type FormEvent, useDeferredValue, useEffect, useState } from 'react'

import type { SnapshotBody } from '@/api'
import { snapshotsGetOptions, snapshotsInstantiateMutation, snapshotsListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { Field, Input } from '@/design/field'
import { refused } from '@/design/refused'
import { Empty, Failure, Loading } from '@/design/states'
import { toast } from '@/design/toast'
import { useUrlState } from '@/route/route'
import { say } from '@/words/words'

import { restoreCliOf } from './cli'
import { Commands } from './commands'
import { restoreBodyOf, restoreCurlOf, wrongName } from './draft'
import { SnapshotChoice } from './snapshot-choice'

const MOST = 200

/** A new VM from a snapshot, which the address may name. */
export function FromSnapshot() {
  const [address, setAddress] = useUrlState('snapshot')
  const [picked, setPicked] = useState<string | null>(null) // at once; the address follows
  const id = picked ?? address
  const pick = (next: string) => {
    setPicked(next)
    setAddress(next)
  }
  const [q, setQ] = useState('')
  const query = { state: 'completed' as const, limit: MOST, q: useDeferredValue(q) || undefined }
  const ready = useQuery({ ...snapshotsListOptions({ query }), placeholderData: keepPreviousData })
  const kept = ready.data?.items.filter(({ purpose }) => purpose === 'keep') ?? []
  const listed = kept.find((one) => one.id === id)
  const named = useQuery({ ...snapshotsGetOptions({ path: { snapshot_id: id } }), enabled: id !== '' })
  const chosen = id === '' ? undefined : (listed ?? named.data?.item)
  if (ready.error) return <Failure refused={refused(ready.error)} onRetry={() => void ready.refetch()} />
  if (ready.isPending || (named.isLoading && !listed)) return <Loading rows={4} />
  if (kept.length === 0 && q === '' && id === '') return <NoneReady />
  return (
    <div className="grid max-w-2xl gap-5 rounded-lg border bg-surface p-5">
      {id !== '' && named.error && !listed ? <Failure refused={refused(named.error)} /> : null}
      <Input type="search" aria-label={say('snapshots.search')} placeholder={say('list.searchByName')} value={q} onChange={(event) => setQ(event.target.value)} />
      <SnapshotChoice snapshots={chosen && !listed ? [chosen, ...kept] : kept} chosen={id} onChoose={pick} />
      {ready.data.next_cursor ? <p className="text-sm text-muted">{say('list.newestShown', { count: MOST })}</p> : null}
      <NewVm snapshot={chosen} />
    </div>
  )
}

function NoneReady() {
  return (
    <Empty
      icon={<Camera />}
      title={say('restore.none')}
      action={
        <Button asChild>
          <Link href="/vms">{say('vm.all')}</Link>
        </Button>
      }
    >
      {say('restore.noneHint')}
    </Empty>
  )
}

function NewVm({ snapshot }: { snapshot: SnapshotBody | undefined }) {
  const router = useRouter()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const vm = { name, description }
  const create = useMutation({
    ...snapshotsInstantiateMutation(),
    onSuccess: ({ id }) => {
      void queries.invalidateQueries()
      toast.success(say('restore.told', { name: snapshot?.name ?? '' }))
      router.push(`/vms/${id}`)
    },
  })
  const { reset } = create
  useEffect(() => reset(), [reset, snapshot?.id]) // what was wrong with another one says nothing of this one
  const problem = create.error ? refused(create.error) : null
  const isTaken = problem?.code === 'vm_name_taken'
  const wrong = name === '' ? null : wrongName(name)
  const refusal = refusalFor(snapshot) ?? wrong
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!snapshot || refusal || create.isPending) return
    create.mutate({ path: { snapshot_id: snapshot.id }, body: restoreBodyOf(vm) })
  }
  return (
    <form onSubmit={submit} noValidate className="grid gap-5">
      {problem && !isTaken ? <Failure refused={problem} /> : null}
      <Field label={say('vm.name')} hint={snapshot ? say('restore.nameHint', { name: snapshot.vm_name }) : undefined} error={wrong ?? (isTaken ? problem.error : null)}>
        <Input
          autoComplete="off"
          value={name}
          onChange={(event) => {
            setName(event.target.value)
            reset()
          }}
        />
      </Field>
      <Field label={say('vm.description')} hint={say('restore.descriptionHint')}>
        <Input value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field>
      {snapshot ? (
        <>
          <p className="text-sm text-muted">{say(snapshot.has_memory ? 'restore.goesOn' : 'restore.boots', { host: snapshot.host_name })}</p>
          <Commands cli={restoreCliOf(snapshot, vm)} curl={restoreCurlOf(snapshot, vm, location.origin)} />
        </>
      ) : null}
      <div className="flex flex-wrap gap-2 border-t pt-4">
        <Button kind="primary" type="submit" busy={create.isPending} refusal={refusal}>
          {say('vms.create')}
        </Button>
        <Button kind="quiet" asChild className="ml-auto">
          <Link href="/vms">{say('do.cancel')}</Link>
        </Button>
      </div>
    </form>
  )
}

function refusalFor(snapshot: SnapshotBody | undefined): string | null {
  if (!snapshot) return say('restore.chooseFirst')
  return snapshot.state === 'completed' ? null : say('snapshot.notThere', { state: say(`snapshot.state.${snapshot.state}`) })
}
