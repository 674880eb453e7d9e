'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { type CacheType, type DriveBody, drivesCreate, drivesEdit, type IoEngine, type VmBody } from '@/api'
import { imagesListOptions } from '@/api/@tanstack/react-query.gen'
import { Checkbox, Field, Input, Select } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say } from '@/words/words'

import { tellApplied } from './changed'
import { MBYTE, perSecond, rewritten, shown, typed } from './limits'
import { RateField } from './rate-field'

const GIB = 1024 ** 3

export function AddDrive({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const queries = useQueryClient()
  const images = useQuery(imagesListOptions({ query: { kind: 'data', limit: 500 } }))
  const [driveId, setDriveId] = useState('')
  const [size, setSize] = useState('10')
  const [image, setImage] = useState('')
  const [isReadOnly, setReadOnly] = useState(false)
  const [cache, setCache] = useState<CacheType>('Writeback')
  const [engine, setEngine] = useState<IoEngine>('Sync')
  const bytes = typed(size, GIB)
  const add = useMutation({
    mutationFn: () =>
      drivesCreate({
        path: { vm_id: vm.id },
        body: { drive_id: driveId, image: image || null, size_bytes: bytes ? Math.round(bytes) : null, is_read_only: isReadOnly, cache_type: cache, io_engine: engine },
        throwOnError: true,
      }),
    onSuccess: ({ data }) => {
      tellApplied(say('done.added', { what: driveId }), data.applied)
      void queries.invalidateQueries()
      onClose()
    },
  })
  return (
    <FormDialog
      title={say('drive.addTo', { name: vm.name })}
      action={say('do.add')}
      isBusy={add.isPending}
      thrown={add.error}
      refusal={bytes === undefined ? say('rate.wrong') : null}
      onSubmit={() => add.mutate()}
      onClose={onClose}
    >
      <Field label={say('drive.id')} required hint={say('drive.idHint')}>
        <Input value={driveId} onChange={(event) => setDriveId(event.target.value)} />
      </Field>
      <Field label={say('drive.size')} hint={image ? say('drive.sizeHint') : undefined} error={bytes === undefined ? say('rate.wrong') : null}>
        <Input inputMode="decimal" value={size} onChange={(event) => setSize(event.target.value)} />
      </Field>
      <Field label={say('drive.startsAs')}>
        <Select value={image} onChange={(event) => setImage(event.target.value)}>
          <option value="">{say('drive.emptyOne')}</option>
          {images.data?.items.map(({ id, name }) => (
            <option key={id} value={name}>
              {name}
            </option>
          ))}
        </Select>
      </Field>
      <Checkbox label={say('drive.onlyRead')} checked={isReadOnly} onChange={(event) => setReadOnly(event.target.checked)} />
      <Tuning cache={cache} engine={engine} onCache={setCache} onEngine={setEngine} />
    </FormDialog>
  )
}

export function EditDrive({ vm, drive, onClose }: { vm: VmBody; drive: DriveBody; onClose: () => void }) {
  const queries = useQueryClient()
  const [size, setSize] = useState(drive.size_bytes === null ? '' : String(drive.size_bytes / GIB))
  const [bandwidth, setBandwidth] = useState(shown(perSecond(drive.rate_limiter?.bandwidth), MBYTE))
  const [ops, setOps] = useState(shown(perSecond(drive.rate_limiter?.ops), 1))
  const bytes = typed(size, GIB)
  const isWrong = bytes === undefined || typed(bandwidth, MBYTE) === undefined || typed(ops, 1) === undefined
  const edit = useMutation({
    mutationFn: () => {
      const wanted = bytes ? Math.round(bytes) : null
      const limits = { bandwidth: rewritten(drive.rate_limiter?.bandwidth, bandwidth, MBYTE), ops: rewritten(drive.rate_limiter?.ops, ops, 1) }
      return drivesEdit({
        path: { vm_id: vm.id, drive: drive.id },
        body: { ...(wanted !== drive.size_bytes && wanted !== null ? { size_bytes: wanted } : {}), rate_limiter: limits },
        throwOnError: true,
      })
    },
    onSuccess: ({ data }) => {
      tellApplied(say('done.changed', { what: drive.drive_id }), data.applied)
      void queries.invalidateQueries()
      onClose()
    },
  })
  return (
    <FormDialog
      title={say('do.change', { what: drive.drive_id })}
      action={say('do.save')}
      isBusy={edit.isPending}
      thrown={edit.error}
      refusal={isWrong ? say('form.correctFirst') : null}
      onSubmit={() => edit.mutate()}
      onClose={onClose}
    >
      {drive.is_read_only ? null : (
        <Field label={say('drive.size')} hint={say('drive.growHint')} error={bytes === undefined ? say('rate.wrong') : null}>
          <Input inputMode="decimal" value={size} onChange={(event) => setSize(event.target.value)} />
        </Field>
      )}
      <RateField label={say('drive.bandwidth')} unit="MB/s" presets={[10, 50, 100, 250]} value={bandwidth} onChange={setBandwidth} />
      <RateField label={say('drive.ops')} unit={say('drive.aSecond')} presets={[100, 500, 1000, 5000]} value={ops} onChange={setOps} />
    </FormDialog>
  )
}

type TuningProps = { cache: CacheType; engine: IoEngine; onCache: (cache: CacheType) => void; onEngine: (engine: IoEngine) => void }

function Tuning({ cache, engine, onCache, onEngine }: TuningProps) {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field label={say('drive.cache')} hint={say('drive.cacheHint')}>
        <Select value={cache} onChange={(event) => onCache(event.target.value as CacheType)}>
          <option>Unsafe</option>
          <option>Writeback</option>
          <option>Writethrough</option>
        </Select>
      </Field>
      <Field label={say('drive.engine')}>
        <Select value={engine} onChange={(event) => onEngine(event.target.value as IoEngine)}>
          <option>Sync</option>
          <option>Async</option>
        </Select>
      </Field>
    </div>
  )
}
