'use client'

import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ThemeProvider } from 'next-themes'
import { Fragment, type ReactNode, useState } from 'react'

import { ConfirmProvider } from '@/design/confirm'
import { later } from '@/design/later'
import { useLanguage } from '@/words/use-language'

import { isSignedOut } from './session'

const Toaster = later(() => import('@/design/toaster').then((module) => module.Toaster))

const newClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        // the event stream says when something has changed; this is the net below it
        staleTime: 15_000,
        refetchInterval: 60_000,
        retry: (count, thrown) => !isSignedOut(thrown) && !isFinal(thrown) && count < 3,
      },
    },
  })

/** Whether asking again would be answered the same. */
function isFinal(thrown: unknown) {
  const status = (thrown as { status?: number } | null)?.status
  return status !== undefined && status >= 400 && status < 500 && status !== 429
}

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(newClient)
  const language = useLanguage() // as a key, another one has everything drawn anew
  return (
    <ThemeProvider attribute="class" defaultTheme="dark" enableSystem disableTransitionOnChange>
      <QueryClientProvider client={client}>
        <Fragment key={language}>
          <ConfirmProvider>{children}</ConfirmProvider>
        </Fragment>
        <Toaster />
      </QueryClientProvider>
    </ThemeProvider>
  )
}
