import { Gallery } from './gallery'

export const metadata = { title: 'Design' }

// a page in development only: next.config.ts takes `.dev.tsx` for pages there, the export does not
export default function DesignPage() {
  return <Gallery />
}
