import { Field, Input } from '@/design/field'

import { typed } from './limits'

/** A limit in the unit people think in, with common values to choose from. Empty: no limit. */
export function RateField({ label, unit, presets, value, onChange }: { label: string; unit: string; presets: number[]; value: string; onChange: (value: string) => void }) {
  const list = `${label}-presets`.replaceAll(' ', '-')
  const isWrong = typed(value, 1) === undefined
  return (
    <>
      <Field label={`${label} (${unit})`} hint="Empty: no limit" error={isWrong ? 'A number above 0, or nothing.' : null}>
        <Input inputMode="decimal" list={list} value={value} onChange={(event) => onChange(event.target.value)} />
      </Field>
      <datalist id={list}>
        {presets.map((preset) => (
          <option key={preset} value={preset} />
        ))}
      </datalist>
    </>
  )
}
