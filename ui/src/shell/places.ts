import { Activity, Boxes, Camera, CircleHelp, HardDrive, LayoutDashboard, LayoutTemplate, type LucideIcon, Server, Settings, SquareStack } from 'lucide-react'

import type { Key } from '@/words/words'

export type Place = { href: string; label: Key; icon: LucideIcon; key: string; isAdmins?: boolean }

/** Where one can go: the sidebar, the palette and the `g` shortcuts. What has no page is not here. */
export const PLACES: Place[] = [
  { href: '/dashboard', label: 'place.dashboard', icon: LayoutDashboard, key: 'd' },
  { href: '/vms', label: 'place.vms', icon: Boxes, key: 'v' },
  { href: '/snapshots', label: 'place.snapshots', icon: Camera, key: 'n' },
  { href: '/images', label: 'place.images', icon: HardDrive, key: 'i' },
  { href: '/templates', label: 'place.templates', icon: LayoutTemplate, key: 't' },
  { href: '/hosts', label: 'place.hosts', icon: Server, key: 'h' },
  { href: '/operations', label: 'place.operations', icon: SquareStack, key: 'o' },
  { href: '/activity', label: 'place.activity', icon: Activity, key: 'a', isAdmins: true },
  { href: '/settings', label: 'place.settings', icon: Settings, key: 's' },
  { href: '/help', label: 'place.help', icon: CircleHelp, key: '?' },
]

export const placesFor = (isAdmin: boolean) => PLACES.filter((place) => isAdmin || !place.isAdmins)
