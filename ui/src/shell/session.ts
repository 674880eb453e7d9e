'use client'

import { useQuery } from '@tanstack/react-query'

import type { UserBody } from '@/api'
import { authMeOptions } from '@/api/@tanstack/react-query.gen'

export const isSignedOut = (thrown: unknown) => (thrown as { status?: number } | null)?.status === 401

/** Who is signed in, and what they may do here. */
export function useSession() {
  const me = useQuery(authMeOptions())
  const user: UserBody | undefined = me.data?.item
  return { user, isAdmin: user?.role === 'admin', mayChange: user !== undefined && user.role !== 'viewer', thrown: me.error, retry: me.refetch }
}

/** Where to go after signing in: a path of this site, never another site. */
export function wantedPage(search: string) {
  const next = new URLSearchParams(search).get('next') ?? ''
  return /^\/(?![/\\])/.test(next) ? next : '/dashboard'
}

export const signInPage = (from: string) => `/login?next=${encodeURIComponent(from)}`
