import type { Applied } from '@/api'
import { toast } from '@/design/toast'

/** Says of a change that was saved when it takes effect, in the server's own words. */
export function tellApplied(what: string, applied: Applied | null | undefined) {
  toast.success(what, { description: applied === 'next_start' ? 'It takes effect at the next start.' : applied === 'now' ? 'It is in effect.' : undefined })
}
