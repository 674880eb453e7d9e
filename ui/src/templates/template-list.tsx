'use client'

import { useQuery } from '@tanstack/react-query'
import { CirclePlus, LayoutTemplate, Trash2 } from 'lucide-react'
import Link from 'next/link'
import type { ReactNode } from 'react'

import { type TemplateBody, templatesDelete } from '@/api'
import { templatesListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { Input } from '@/design/field'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { mib } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Ago } from '@/design/time'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { say } from '@/words/words'

const HEADS = ['vm.name', 'config.size', 'vm.image', 'vm.kernel', 'template.used', 'vm.changed'] as const

export function TemplateList() {
  const [q, setQ] = useUrlState('q')
  const { mayChange } = useSession()
  const templates = useQuery(templatesListOptions({ query: { limit: 500 } }))
  const all = templates.data?.items ?? []
  const shown = all.filter(({ name }) => name.toLowerCase().includes(q.toLowerCase()))
  return (
    <>
      <PageHead title={say('place.templates')} below={say('templates.below')} />
      <Input type="search" aria-label={say('templates.search')} placeholder={say('list.searchByName')} className="mb-4 sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
      {templates.error ? <Failure refused={refused(templates.error)} onRetry={() => void templates.refetch()} /> : null}
      {templates.isPending ? <Loading rows={3} /> : null}
      {templates.data && shown.length === 0 ? (
        <Empty icon={<LayoutTemplate />} title={all.length ? say('templates.noMatch') : say('templates.none')}>
          {say('templates.noneHint')}
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <Table label={say('place.templates')} heads={[...HEADS.map((head) => say(head)), ...(mayChange ? [say('table.actions')] : [])]} rows={shown.map((template) => ({ key: template.id, cells: cells(template) }))} />
      ) : null}
    </>
  )
}

function cells(template: TemplateBody): ReactNode[] {
  return [
    <div key="name">
      <span className="font-medium">{template.name}</span>
      {template.description ? <span className="block text-sm text-muted">{template.description}</span> : null}
    </div>,
    <span key="size" className="tabular">
      {template.vcpu} vCPU, {mib(template.mem_mib)}
    </span>,
    template.image,
    template.kernel,
    <span key="used" className="tabular">
      {template.usage_count}
    </span>,
    <span key="changed" className="text-muted">
      <Ago at={template.updated_at} />
    </span>,
    <Actions key="actions" template={template} />,
  ]
}

function Actions({ template }: { template: TemplateBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const remove = async () => {
    const body = <p>{say('template.deleteLost')}</p>
    if (await confirm({ title: say('template.delete', { name: template.name }), body, action: say('verb.delete'), isDangerous: true })) {
      await tell(templatesDelete({ path: { template_id: template.id }, throwOnError: true }), say('done.deleted', { what: template.name }))
    }
  }
  return (
    <span className="flex justify-end gap-1">
      <Button size="sm" asChild>
        <Link href={`/vms/create?template=${encodeURIComponent(template.name)}`} prefetch={false}>
          <CirclePlus aria-hidden /> {say('vms.create')}
        </Link>
      </Button>
      <Button kind="quiet" size="icon" aria-label={say('do.deleteWhat', { what: template.name })} onClick={() => void remove()}>
        <Trash2 aria-hidden />
      </Button>
    </span>
  )
}
