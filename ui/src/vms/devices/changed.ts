import type { Applied } from '@/api'
import { toast } from '@/design/toast'
import { say } from '@/words/words'

/** Says of a change that was saved when it takes effect, in the server's own words. */
export function tellApplied(what: string, applied: Applied | null | undefined) {
  toast.success(what, { description: applied === 'next_start' ? say('applied.nextStart') : applied === 'now' ? say('applied.now') : undefined })
}
