'use client'

import { useMutation, useQueryClient } from '@tanstack/react-query'
import { LogOut, Monitor, Moon, Search, Sun, User } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useTheme } from 'next-themes'
import type { ReactNode } from 'react'

import { authLogoutMutation } from '@/api/@tanstack/react-query.gen'
import { Badge } from '@/design/badge'
import { Button } from '@/design/button'
import { Menu } from '@/design/menu'
import { say } from '@/words/words'

import type { Connection } from './live'
import { useSession } from './session'
import { Tray } from './tray'

export function Topbar({ connection, onPalette, menu }: { connection: Connection; onPalette: () => void; menu: ReactNode }) {
  const { user } = useSession()
  const { setTheme } = useTheme()
  const router = useRouter()
  const queries = useQueryClient()
  const out = useMutation({
    ...authLogoutMutation(),
    onSettled: () => {
      queries.clear()
      router.replace('/login')
    },
  })
  return (
    <header className="sticky top-0 z-30 flex h-13 items-center gap-2 border-b bg-bg/90 px-3 backdrop-blur sm:px-6">
      {menu}
      <Button kind="plain" size="sm" className="min-w-0 flex-1 sm:max-w-80" onClick={onPalette}>
        <span className="flex w-full min-w-0 items-center gap-2 text-muted">
          <Search aria-hidden />
          <span className="truncate">{say('palette.title')}</span>
          <kbd className="ml-auto hidden rounded-sm border px-1 font-mono text-xs sm:inline">Ctrl K</kbd>
        </span>
      </Button>
      <div className="ml-auto flex items-center gap-1">
        {connection === 'lost' ? (
          <Badge tone="warn">
            <span role="status">{say('shell.reconnecting')}</span>
          </Badge>
        ) : null}
        <Tray />
        <Menu
          label={say('shell.account')}
          trigger={
            <Button kind="quiet" size="sm" aria-label={`${say('shell.account')}: ${user?.username ?? ''}`}>
              <User aria-hidden />
              <span className="hidden sm:inline">{user?.username}</span>
            </Button>
          }
          entries={[
            { label: say('theme.dark'), icon: <Moon />, onSelect: () => setTheme('dark') },
            { label: say('theme.light'), icon: <Sun />, onSelect: () => setTheme('light') },
            { label: say('theme.system'), icon: <Monitor />, onSelect: () => setTheme('system') },
            { label: say('shell.signOut'), icon: <LogOut />, onSelect: () => out.mutate({}) },
          ]}
        />
      </div>
    </header>
  )
}
