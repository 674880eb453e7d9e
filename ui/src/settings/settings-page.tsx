'use client'

import { useTheme } from 'next-themes'
import { useState } from 'react'

import { Card } from '@/design/card'
import { Field, Select } from '@/design/field'
import { PageHead } from '@/design/page'
import { moment } from '@/design/time'

import { ChangePassword } from './change-password'
import { prefer, preferred, type Preferences } from './preferences'
import { SshKeys } from './ssh-keys'

export function SettingsPage() {
  return (
    <>
      <PageHead title="Settings" />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Appearance />
        <ChangePassword />
        <SshKeys />
      </div>
    </>
  )
}

function Appearance() {
  const { theme, setTheme } = useTheme()
  const [chosen, setChosen] = useState(preferred)
  const change = (changes: Partial<Preferences>) => {
    prefer(changes)
    setChosen(preferred())
  }
  return (
    <Card title="Appearance">
      <div className="grid gap-4">
        <Field label="Theme">
          <Select value={theme} onChange={(event) => setTheme(event.target.value)}>
            <option value="dark">Dark</option>
            <option value="light">Light</option>
            <option value="system">As the system</option>
          </Select>
        </Field>
        <Field label="Time zone">
          <Select value={chosen.timeZone} onChange={(event) => change({ timeZone: event.target.value as Preferences['timeZone'] })}>
            <option value="local">This device&apos;s</option>
            <option value="UTC">UTC</option>
          </Select>
        </Field>
        <Field label="Dates" hint={`Now: ${moment(new Date().toISOString())}`}>
          <Select value={chosen.dateStyle} onChange={(event) => change({ dateStyle: event.target.value as Preferences['dateStyle'] })}>
            <option value="locale">As usual here</option>
            <option value="iso">Year-month-day</option>
          </Select>
        </Field>
      </div>
    </Card>
  )
}
