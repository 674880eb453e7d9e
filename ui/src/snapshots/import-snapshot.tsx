'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'

import { snapshotsImport } from '@/api'
import { hostsListOptions } from '@/api/@tanstack/react-query.gen'
import { Field, Input, Select } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { bytes } from '@/design/size'
import { toast } from '@/design/toast'
import { say } from '@/words/words'

import { sending } from './sending'

/** Makes a snapshot of an archive on the person's own computer. Closing the dialog stops it. */
export function ImportSnapshot({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const hosts = useQuery(hostsListOptions({ query: { limit: 500, sort: 'name' } }))
  const [file, setFile] = useState<File | null>(null)
  const [name, setName] = useState('')
  const [host, setHost] = useState('')
  const [sent, setSent] = useState(0)
  const stopping = useRef<AbortController>(null)
  const take = useMutation({
    mutationFn: (body: File) => {
      stopping.current = new AbortController()
      const query = { ...(name && { name }), ...(host && { host_id: host }) }
      return snapshotsImport({ body, query, fetch: sending(body, setSent), signal: stopping.current.signal, throwOnError: true })
    },
    onSuccess: () => {
      toast.success(say('import.done', { name: file?.name ?? '' }))
      onClose()
    },
    onSettled: () => void queries.invalidateQueries(),
  })
  return (
    <FormDialog
      title={say('import.title')}
      description={say('import.about')}
      action={say('import.do')}
      isBusy={take.isPending}
      thrown={take.error}
      refusal={file ? null : say('import.chooseFirst')}
      onSubmit={() => {
        setSent(0)
        if (file) take.mutate(file)
      }}
      onClose={() => {
        stopping.current?.abort()
        onClose()
      }}
    >
      <Field label={say('import.file')} required hint={say('import.fileHint')}>
        <Input type="file" accept=".tar,application/x-tar" className="py-1 file:mr-3 file:cursor-pointer file:rounded-sm file:bg-sunken file:px-2.5 file:py-1 file:text-sm file:font-medium" disabled={take.isPending} onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
      </Field>
      <Field label={say('vm.name')} hint={say('import.nameHint')}>
        <Input autoComplete="off" value={name} disabled={take.isPending} onChange={(event) => setName(event.target.value)} />
      </Field>
      {hosts.data && hosts.data.items.length > 1 ? (
        <Field label={say('vm.host')}>
          <Select value={host} disabled={take.isPending} onChange={(event) => setHost(event.target.value)}>
            <option value="">{say('import.anyHost')}</option>
            {hosts.data.items.map(({ id, name: one }) => (
              <option key={id} value={id}>
                {one}
              </option>
            ))}
          </Select>
        </Field>
      ) : null}
      {take.isPending && file ? <Sent bytesSent={sent} file={file} /> : null}
    </FormDialog>
  )
}

function Sent({ bytesSent, file }: { bytesSent: number; file: File }) {
  const words = bytesSent < file.size ? say('import.sent', { sent: bytes(bytesSent), all: bytes(file.size) }) : say('import.checking')
  return (
    <div role="status" className="grid gap-1">
      <progress aria-label={say('operations.progress', { what: file.name })} value={bytesSent} max={file.size} className="h-1.5 w-full" />
      <span className="text-sm text-muted">{words}</span>
    </div>
  )
}
