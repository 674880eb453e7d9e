const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** Bytes in the largest binary unit that keeps a whole part: "1.5 GiB". */
export function bytes(count: number) {
  let unit = 0
  let amount = count
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024
    unit += 1
  }
  return `${amount >= 100 || Number.isInteger(amount) ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`
}

export const mib = (count: number) => bytes(count * 1024 * 1024)
