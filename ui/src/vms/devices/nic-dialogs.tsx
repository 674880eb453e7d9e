'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { type NicBody, nicsCreate, nicsEdit, type NicLimiterAnswer, type NicLimiterBody, type VmBody } from '@/api'
import { networksListOptions } from '@/api/@tanstack/react-query.gen'
import { Field, Input, Select } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { say } from '@/words/words'

import { tellApplied } from './changed'
import { MBIT, perSecond, rewritten, shown, typed } from './limits'
import { RateField } from './rate-field'

const PRESETS = [10, 100, 1000]

function limiter(before: NicLimiterAnswer | null, text: string): NicLimiterBody | null {
  const bandwidth = rewritten(before?.bandwidth, text, MBIT)
  return bandwidth && { bandwidth }
}

export function AddNic({ vm, onClose }: { vm: VmBody; onClose: () => void }) {
  const queries = useQueryClient()
  const networks = useQuery(networksListOptions({ query: { limit: 500 } }))
  const [ifaceId, setIfaceId] = useState('')
  const [network, setNetwork] = useState('')
  const [mac, setMac] = useState('')
  const add = useMutation({
    mutationFn: () => nicsCreate({ path: { vm_id: vm.id }, body: { iface_id: ifaceId, network: network || null, guest_mac: mac || null }, throwOnError: true }),
    onSuccess: ({ data }) => {
      tellApplied(say('done.added', { what: ifaceId }), data.applied)
      void queries.invalidateQueries()
      onClose()
    },
  })
  return (
    <FormDialog title={say('nic.addTo', { name: vm.name })} action={say('do.add')} isBusy={add.isPending} thrown={add.error} onSubmit={() => add.mutate()} onClose={onClose}>
      <Field label={say('nic.id')} required hint={say('nic.idHint')}>
        <Input value={ifaceId} onChange={(event) => setIfaceId(event.target.value)} />
      </Field>
      <Field label={say('tab.network')}>
        <Select value={network} onChange={(event) => setNetwork(event.target.value)}>
          <option value="">{say('create.default')}</option>
          {networks.data?.items.map(({ id, name }) => (
            <option key={id}>{name}</option>
          ))}
        </Select>
      </Field>
      <Field label={say('vm.mac')} hint={say('nic.macHint')}>
        <Input className="font-mono" placeholder="02:00:00:00:00:01" value={mac} onChange={(event) => setMac(event.target.value)} />
      </Field>
    </FormDialog>
  )
}

export function EditNic({ vm, nic, onClose }: { vm: VmBody; nic: NicBody; onClose: () => void }) {
  const queries = useQueryClient()
  const [rx, setRx] = useState(shown(perSecond(nic.rx_rate_limiter?.bandwidth), MBIT))
  const [tx, setTx] = useState(shown(perSecond(nic.tx_rate_limiter?.bandwidth), MBIT))
  const edit = useMutation({
    mutationFn: () => nicsEdit({ path: { vm_id: vm.id, nic: nic.id }, body: { rx_rate_limiter: limiter(nic.rx_rate_limiter, rx), tx_rate_limiter: limiter(nic.tx_rate_limiter, tx) }, throwOnError: true }),
    onSuccess: ({ data }) => {
      tellApplied(say('done.changed', { what: nic.iface_id }), data.applied)
      void queries.invalidateQueries()
      onClose()
    },
  })
  return (
    <FormDialog
      title={say('nic.limitsOf', { name: nic.iface_id })}
      action={say('do.save')}
      isBusy={edit.isPending}
      thrown={edit.error}
      refusal={[rx, tx].some((text) => typed(text, MBIT) === undefined) ? say('form.correctFirst') : null}
      onSubmit={() => edit.mutate()}
      onClose={onClose}
    >
      <RateField label={say('nic.into')} unit="Mbit/s" presets={PRESETS} value={rx} onChange={setRx} />
      <RateField label={say('nic.outOf')} unit="Mbit/s" presets={PRESETS} value={tx} onChange={setTx} />
    </FormDialog>
  )
}
