'use client'

import { useQuery } from '@tanstack/react-query'
import { HardDrive, Trash2 } from 'lucide-react'
import type { ReactNode } from 'react'

import { type ImageBody, type ImageKind, imagesDelete } from '@/api'
import { imagesListOptions } from '@/api/@tanstack/react-query.gen'
import { Badge, type Tone } from '@/design/badge'
import { Button } from '@/design/button'
import { useConfirm } from '@/design/confirm'
import { Copy } from '@/design/copy'
import { Input, Select } from '@/design/field'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { bytes } from '@/design/size'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Ago } from '@/design/time'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'
import { useTell } from '@/shell/tell'
import { type Key, say } from '@/words/words'

const KINDS: Record<ImageKind, { words: Key; tone: Tone }> = {
  kernel: { words: 'image.kernel', tone: 'unsure' },
  initramfs: { words: 'image.initramfs', tone: 'warn' },
  rootfs: { words: 'image.rootfs', tone: 'accent' },
  data: { words: 'image.data', tone: 'idle' },
}

export function ImageList() {
  const [q, setQ] = useUrlState('q')
  const [kind, setKind] = useUrlState('kind')
  const { isAdmin } = useSession()
  const images = useQuery(imagesListOptions({ query: { limit: 500 } }))
  const all = images.data?.items ?? []
  const shown = all.filter((image) => image.name.toLowerCase().includes(q.toLowerCase()) && (!kind || image.kind === kind))
  return (
    <>
      <PageHead title={say('place.images')} below={say('images.below')} />
      <div className="mb-4 flex flex-wrap gap-2">
        <Input type="search" aria-label={say('images.search')} placeholder={say('list.searchByName')} className="sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
        <Select aria-label={say('image.kind')} className="w-44" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">{say('image.anyKind')}</option>
          {Object.entries(KINDS).map(([value, { words }]) => (
            <option key={value} value={value}>
              {say(words)}
            </option>
          ))}
        </Select>
      </div>
      {images.error ? <Failure refused={refused(images.error)} onRetry={() => void images.refetch()} /> : null}
      {images.isPending ? <Loading rows={4} /> : null}
      {images.data && shown.length === 0 ? (
        <Empty icon={<HardDrive />} title={all.length ? say('images.noMatch') : say('images.none')}>
          {say('images.noneHint')} <code className="font-mono">nexus image build</code>, <code className="font-mono">nexus image import</code>
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <Table label={say('place.images')} heads={[say('vm.name'), say('image.kind'), say('config.size'), 'SHA-256', say('image.made'), ...(isAdmin ? [say('table.actions')] : [])]} rows={shown.map((image) => ({ key: image.id, cells: cells(image) }))} />
      ) : null}
    </>
  )
}

function cells(image: ImageBody): ReactNode[] {
  const { words, tone } = KINDS[image.kind]
  return [
    <div key="name">
      <span className="font-medium">{image.name}</span> {image.is_default ? <Badge tone="ok">{say('create.default')}</Badge> : null}
      {image.description ? <span className="block text-sm text-muted">{image.description}</span> : null}
    </div>,
    <span key="kind">
      <Badge tone={tone}>{say(words)}</Badge> <span className="text-sm text-muted">{image.format}</span>
    </span>,
    <span key="size" className="tabular">
      {bytes(image.size_bytes)}
    </span>,
    <span key="sha256" className="inline-flex items-center">
      <code className="font-mono text-xs">{image.sha256.slice(0, 12)}</code>
      <Copy text={image.sha256} label={say('image.copySha', { name: image.name })} />
    </span>,
    <span key="made" className="text-muted">
      <Ago at={image.created_at} />
    </span>,
    <DeleteImage key="actions" image={image} />,
  ]
}

function DeleteImage({ image }: { image: ImageBody }) {
  const confirm = useConfirm()
  const tell = useTell()
  const remove = async () => {
    const agreed = await confirm({
      title: say('image.delete', { name: image.name }),
      body: <p>{say('image.deleteLost')}</p>,
      action: say('verb.delete'),
      isDangerous: true,
    })
    if (agreed) await tell(imagesDelete({ path: { image_id: image.id }, throwOnError: true }), say('done.deleted', { what: image.name }))
  }
  return (
    <Button kind="quiet" size="icon" aria-label={say('do.deleteWhat', { what: image.name })} onClick={() => void remove()}>
      <Trash2 aria-hidden />
    </Button>
  )
}
