import type { ExternalToast } from 'sonner'

const sonner = () => import('sonner').then((module) => module.toast)

/** Short news in the corner of the page. What shows them is not part of the first load. */
export const toast = {
  success: (words: string, options?: ExternalToast) => void sonner().then((show) => show.success(words, options)),
  error: (words: string, options?: ExternalToast) => void sonner().then((show) => show.error(words, options)),
}
