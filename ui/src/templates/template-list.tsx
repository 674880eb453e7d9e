'use client'

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { CirclePlus, LayoutTemplate, Trash2 } from 'lucide-react'
import Link from 'next/link'
import { toast } from 'sonner'

import { type TemplateBody, templatesDelete } from '@/api'
import { templatesListOptions } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { Input } from '@/design/field'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { mib } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Ago } from '@/design/time'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'

const HEADS = ['Name', 'Size', 'Image', 'Kernel', 'Used', 'Changed']

export function TemplateList() {
  const [q, setQ] = useUrlState('q')
  const { mayChange } = useSession()
  const templates = useQuery(templatesListOptions({ query: { limit: 500 } }))
  const all = templates.data?.items ?? []
  const shown = all.filter(({ name }) => name.toLowerCase().includes(q.toLowerCase()))
  return (
    <>
      <PageHead title="Templates" below="Saved configurations to make machines from" />
      <Input type="search" aria-label="Search templates" placeholder="Search by name" className="mb-4 sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
      {templates.error ? <Failure refused={refused(templates.error)} onRetry={() => void templates.refetch()} /> : null}
      {templates.isPending ? <Loading rows={3} /> : null}
      {templates.data && shown.length === 0 ? (
        <Empty icon={<LayoutTemplate />} title={all.length ? 'No template matches' : 'No templates yet'}>
          Open a VM and choose <em>Save as template</em>; its configuration is kept, never its disk or its password.
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <div className="overflow-x-auto rounded-lg border bg-surface">
          <table aria-label="Templates" className="w-full text-left">
            <thead>
              <tr className="border-b text-sm text-muted">
                {HEADS.map((head) => (
                  <th key={head} scope="col" className="px-3 py-2 font-medium">
                    {head}
                  </th>
                ))}
                <th scope="col">
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((template) => (
                <Row key={template.id} template={template} mayChange={mayChange} />
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </>
  )
}

function Row({ template, mayChange }: { template: TemplateBody; mayChange: boolean }) {
  const confirm = useConfirm()
  const queries = useQueryClient()
  const remove = async () => {
    const body = <p>Machines that were made from it stay as they are.</p>
    if (!(await confirm({ title: `Delete the template ${template.name}?`, body, action: 'Delete', isDangerous: true }))) return
    try {
      await templatesDelete({ path: { template_id: template.id }, throwOnError: true })
      toast.success(`Deleted ${template.name}`)
    } catch (thrown) {
      const { error, suggestion } = refused(thrown)
      toast.error(error, { description: suggestion })
    }
    void queries.invalidateQueries()
  }
  return (
    <tr className="border-b last:border-0 hover:bg-sunken/60">
      <td className="px-3 py-2">
        <span className="font-medium">{template.name}</span>
        {template.description ? <span className="block text-sm text-muted">{template.description}</span> : null}
      </td>
      <td className="tabular px-3 py-2 whitespace-nowrap">
        {template.vcpu} vCPU, {mib(template.mem_mib)}
      </td>
      <td className="px-3 py-2 whitespace-nowrap">{template.image}</td>
      <td className="px-3 py-2 whitespace-nowrap">{template.kernel}</td>
      <td className="tabular px-3 py-2">{template.usage_count}</td>
      <td className="px-3 py-2 whitespace-nowrap text-muted">
        <Ago at={template.updated_at} />
      </td>
      <td className="px-3 py-2 text-right whitespace-nowrap">
        {mayChange ? (
          <>
            <Button size="sm" asChild>
              <Link href={`/vms/create?template=${encodeURIComponent(template.name)}`} prefetch={false}>
                <CirclePlus aria-hidden /> Create VM
              </Link>
            </Button>
            <Button kind="quiet" size="icon" aria-label={`Delete ${template.name}`} onClick={() => void remove()}>
              <Trash2 aria-hidden />
            </Button>
          </>
        ) : null}
      </td>
    </tr>
  )
}
