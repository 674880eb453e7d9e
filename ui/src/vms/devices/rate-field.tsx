import { Field, Input } from '@/design/field'
import { say } from '@/words/words'

import { typed } from './limits'

/** A limit in the unit people think in, with common values to choose from. Empty: no limit. */
export function RateField({ label, unit, presets, value, onChange }: { label: string; unit: string; presets: number[]; value: string; onChange: (value: string) => void }) {
  const list = `${label}-presets`.replaceAll(' ', '-')
  const isWrong = typed(value, 1) === undefined
  return (
    <>
      <Field label={`${label} (${unit})`} hint={say('rate.none')} error={isWrong ? say('rate.wrong') : null}>
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
