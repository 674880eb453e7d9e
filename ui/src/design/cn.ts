import { type ClassValue, clsx } from 'clsx'

/** Class names. Two of the same kind (`w-full w-36`) do not override one another: a component that others may size keeps
 * its own size in the base layer of globals.css. */
export const cn = (...names: ClassValue[]) => clsx(names)
