'use client'

import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ThemeProvider } from 'next-themes'
import { Fragment, type ReactNode, useEffect, useState } from 'react'

import { ConfirmProvider } from '@/design/confirm'
import { later } from '@/design/later'
import { preferred } from '@/settings/preferences'
import { speak, useLanguage } from '@/words/words'

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

/** The language that is spoken: the preferred one as soon as it has come. As a key, it has everything drawn anew. */
function useSpoken() {
  const spoken = useLanguage()
  useEffect(() => {
    const wanted = preferred().language
    if (wanted !== 'en') void speak(wanted)
  }, [])
  return spoken
}

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(newClient)
  return (
    <ThemeProvider attribute="class" defaultTheme="dark" enableSystem disableTransitionOnChange>
      <QueryClientProvider client={client}>
        <Fragment key={useSpoken()}>
          <ConfirmProvider>{children}</ConfirmProvider>
        </Fragment>
        <Toaster />
      </QueryClientProvider>
    </ThemeProvider>
  )
}
