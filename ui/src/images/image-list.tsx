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

const KINDS: Record<ImageKind, { words: string; tone: Tone }> = {
  kernel: { words: 'kernel', tone: 'unsure' },
  initramfs: { words: 'initramfs', tone: 'warn' },
  rootfs: { words: 'root file system', tone: 'accent' },
  data: { words: 'data', tone: 'idle' },
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
      <PageHead title="Images" below="What machines boot from" />
      <div className="mb-4 flex flex-wrap gap-2">
        <Input type="search" aria-label="Search images" placeholder="Search by name" className="sm:w-72" value={q} onChange={(event) => setQ(event.target.value)} />
        <Select aria-label="Kind" className="w-44" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">Any kind</option>
          {Object.entries(KINDS).map(([value, { words }]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </Select>
      </div>
      {images.error ? <Failure refused={refused(images.error)} onRetry={() => void images.refetch()} /> : null}
      {images.isPending ? <Loading rows={4} /> : null}
      {images.data && shown.length === 0 ? (
        <Empty icon={<HardDrive />} title={all.length ? 'No image matches' : 'No images yet'}>
          Make one from distribution packages with <code className="font-mono">nexus image build</code>, or register a file with{' '}
          <code className="font-mono">nexus image create</code>.
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <Table label="Images" heads={['Name', 'Kind', 'Size', 'SHA-256', 'Made', ...(isAdmin ? ['Actions'] : [])]} rows={shown.map((image) => ({ key: image.id, cells: cells(image) }))} />
      ) : null}
    </>
  )
}

function cells(image: ImageBody): ReactNode[] {
  const { words, tone } = KINDS[image.kind]
  return [
    <div key="name">
      <span className="font-medium">{image.name}</span> {image.is_default ? <Badge tone="ok">default</Badge> : null}
      {image.description ? <span className="block text-sm text-muted">{image.description}</span> : null}
    </div>,
    <span key="kind">
      <Badge tone={tone}>{words}</Badge> <span className="text-sm text-muted">{image.format}</span>
    </span>,
    <span key="size" className="tabular">
      {bytes(image.size_bytes)}
    </span>,
    <span key="sha256" className="inline-flex items-center">
      <code className="font-mono text-xs">{image.sha256.slice(0, 12)}</code>
      <Copy text={image.sha256} label={`Copy the SHA-256 of ${image.name}`} />
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
      title: `Delete the image ${image.name}?`,
      body: <p>Its file is removed from the manager. Machines that were made from it keep their disks; while one still needs it, deleting is refused.</p>,
      action: 'Delete',
      isDangerous: true,
    })
    if (agreed) await tell(imagesDelete({ path: { image_id: image.id }, throwOnError: true }), `Deleted ${image.name}`)
  }
  return (
    <Button kind="quiet" size="icon" aria-label={`Delete ${image.name}`} onClick={() => void remove()}>
      <Trash2 aria-hidden />
    </Button>
  )
}
