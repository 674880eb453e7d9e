import type { ExternalToast } from 'sonner'

import { tellIfOutdated } from '@/route/outdated'

type Kind = 'success' | 'error'

const show = (kind: Kind, words: string, options?: ExternalToast) =>
  void import('sonner').then(({ toast }) => toast[kind](words, options)).catch(tellIfOutdated)

/** Short news in the corner of the page. What shows them is not part of the first load. */
export const toast = {
  success: (words: string, options?: ExternalToast) => show('success', words, options),
  error: (words: string, options?: ExternalToast) => show('error', words, options),
}
