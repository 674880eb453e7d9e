import { Activity, Boxes, CircleHelp, HardDrive, LayoutDashboard, LayoutTemplate, type LucideIcon, Server, Settings, SquareStack } from 'lucide-react'

export type Place = { href: string; label: string; icon: LucideIcon; key: string; isAdmins?: boolean }

/** Where one can go: the sidebar, the palette and the `g` shortcuts. What has no page is not here. */
export const PLACES: Place[] = [
  { href: '/dashboard', label: 'Dashboard', icon: LayoutDashboard, key: 'd' },
  { href: '/vms', label: 'Virtual machines', icon: Boxes, key: 'v' },
  { href: '/images', label: 'Images', icon: HardDrive, key: 'i' },
  { href: '/templates', label: 'Templates', icon: LayoutTemplate, key: 't' },
  { href: '/hosts', label: 'Hosts', icon: Server, key: 'h' },
  { href: '/operations', label: 'Operations', icon: SquareStack, key: 'o' },
  { href: '/activity', label: 'Activity', icon: Activity, key: 'a', isAdmins: true },
  { href: '/settings', label: 'Settings', icon: Settings, key: 's' },
  { href: '/help', label: 'Help', icon: CircleHelp, key: '?' },
]

export const placesFor = (isAdmin: boolean) => PLACES.filter((place) => isAdmin || !place.isAdmins)
