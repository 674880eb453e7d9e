import { useEffect, useRef } from 'react'

export function Checkmark({ label, isOn, isMixed, onChange }: { label: string; isOn: boolean; isMixed?: boolean; onChange: (event: unknown) => void }) {
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (box.current) box.current.indeterminate = Boolean(isMixed) && !isOn
  }, [isMixed, isOn])
  return <input ref={box} type="checkbox" aria-label={label} checked={isOn} onChange={onChange} className="size-4 align-middle accent-accent" />
}
