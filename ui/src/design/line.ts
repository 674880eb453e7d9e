/** Pixels of a sparkline. */
export const WIDTH = 40
export const HEIGHT = 18

/** Percentages as SVG path data, `places` of them over the whole width, the last at its end; a single one is a dot. */
export function line(values: (number | null)[], places: number) {
  const step = WIDTH / (places - 1)
  const begin = places - values.length
  return values
    .map((value, index) => {
      if (value === null) return ''
      const x = ((begin + index) * step).toFixed(1)
      const y = (HEIGHT - 1.5 - (Math.min(100, Math.max(0, value)) / 100) * (HEIGHT - 3)).toFixed(1)
      const goesOn = index > 0 && values[index - 1] !== null
      const isAlone = !goesOn && (values[index + 1] ?? null) === null
      return `${goesOn ? 'L' : 'M'}${x} ${y}${isAlone ? 'h.01' : ''}`
    })
    .join('')
}
