'use client'

import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ThemeProvider } from 'next-themes'
import { Tooltip } from 'radix-ui'
import { type ReactNode, useState } from 'react'
import { Toaster } from 'sonner'

import { ConfirmProvider } from '@/design/confirm'

import { isSignedOut } from './session'

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
  return (
    <ThemeProvider attribute="class" defaultTheme="dark" enableSystem disableTransitionOnChange>
      <QueryClientProvider client={client}>
        <Tooltip.Provider delayDuration={300}>
          <ConfirmProvider>{children}</ConfirmProvider>
          <Toaster
            position="bottom-right"
            toastOptions={{ classNames: { toast: '!bg-raised !text-text !border-line !shadow-pop', description: '!text-muted' } }}
          />
        </Tooltip.Provider>
      </QueryClientProvider>
    </ThemeProvider>
  )
}
