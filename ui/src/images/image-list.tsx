'use client'

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { HardDrive, Trash2 } from 'lucide-react'
import { toast } from 'sonner'

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
import { Ago } from '@/design/time'
import { useUrlState } from '@/route/route'
import { useSession } from '@/shell/session'

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
        <div className="overflow-x-auto rounded-lg border bg-surface">
          <table aria-label="Images" className="w-full text-left">
            <thead>
              <tr className="border-b text-sm text-muted">
                {['Name', 'Kind', 'Size', 'SHA-256', 'Made'].map((head) => (
                  <th key={head} scope="col" className="px-3 py-2 font-medium">
                    {head}
                  </th>
                ))}
                <th scope="col" className="w-12">
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((image) => (
                <Row key={image.id} image={image} isAdmin={isAdmin} />
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </>
  )
}

function Row({ image, isAdmin }: { image: ImageBody; isAdmin: boolean }) {
  const confirm = useConfirm()
  const queries = useQueryClient()
  const remove = async () => {
    const agreed = await confirm({
      title: `Delete the image ${image.name}?`,
      body: <p>Its file is removed from the manager. Machines that were made from it keep their disks; while one still needs it, deleting is refused.</p>,
      action: 'Delete',
      isDangerous: true,
    })
    if (!agreed) return
    try {
      await imagesDelete({ path: { image_id: image.id }, throwOnError: true })
      toast.success(`Deleted ${image.name}`)
    } catch (thrown) {
      const { error, suggestion } = refused(thrown)
      toast.error(error, { description: suggestion })
    }
    void queries.invalidateQueries()
  }
  const { words, tone } = KINDS[image.kind]
  return (
    <tr className="border-b last:border-0 hover:bg-sunken/60">
      <td className="px-3 py-2 whitespace-nowrap">
        <span className="font-medium">{image.name}</span> {image.is_default ? <Badge tone="ok">default</Badge> : null}
        {image.description ? <span className="block text-sm text-muted">{image.description}</span> : null}
      </td>
      <td className="px-3 py-2">
        <Badge tone={tone}>{words}</Badge> <span className="text-sm text-muted">{image.format}</span>
      </td>
      <td className="tabular px-3 py-2 whitespace-nowrap">{bytes(image.size_bytes)}</td>
      <td className="px-3 py-2">
        <span className="inline-flex items-center">
          <code className="font-mono text-xs">{image.sha256.slice(0, 12)}</code>
          <Copy text={image.sha256} label={`Copy the SHA-256 of ${image.name}`} />
        </span>
      </td>
      <td className="px-3 py-2 whitespace-nowrap text-muted">
        <Ago at={image.created_at} />
      </td>
      <td className="px-3 py-2">
        {isAdmin ? (
          <Button kind="quiet" size="icon" aria-label={`Delete ${image.name}`} onClick={() => void remove()}>
            <Trash2 aria-hidden />
          </Button>
        ) : null}
      </td>
    </tr>
  )
}
