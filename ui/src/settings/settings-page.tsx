'use client'

import { useTheme } from 'next-themes'
import { useState } from 'react'

import { Card } from '@/design/card'
import { Field, Select } from '@/design/field'
import { PageHead } from '@/design/page'
import { moment } from '@/design/time'

import { LANGUAGES, type Language, say, speak } from '@/words/words'

import { ChangePassword } from './change-password'
import { prefer, preferred, type Preferences } from './preferences'
import { SshKeys } from './ssh-keys'

export function SettingsPage() {
  return (
    <>
      <PageHead title={say('place.settings')} />
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
    <Card title={say('settings.appearance')}>
      <div className="grid gap-4">
        <Field label={say('settings.theme')}>
          <Select value={theme} onChange={(event) => setTheme(event.target.value)}>
            <option value="dark">{say('theme.dark')}</option>
            <option value="light">{say('theme.light')}</option>
            <option value="system">{say('theme.system')}</option>
          </Select>
        </Field>
        <Field label={say('settings.language')} hint={say('settings.languageHint')}>
          <Select
            value={chosen.language}
            onChange={(event) => {
              const language = event.target.value as Language
              change({ language })
              void speak(language)
            }}
          >
            {Object.entries(LANGUAGES).map(([value, name]) => (
              <option key={value} value={value} lang={value}>
                {name}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={say('settings.timeZone')}>
          <Select value={chosen.timeZone} onChange={(event) => change({ timeZone: event.target.value as Preferences['timeZone'] })}>
            <option value="local">{say('settings.zoneLocal')}</option>
            <option value="UTC">UTC</option>
          </Select>
        </Field>
        <Field label={say('settings.dates')} hint={say('settings.now', { moment: moment(new Date().toISOString()) })}>
          <Select value={chosen.dateStyle} onChange={(event) => change({ dateStyle: event.target.value as Preferences['dateStyle'] })}>
            <option value="locale">{say('settings.datesLocale')}</option>
            <option value="iso">{say('settings.datesIso')}</option>
          </Select>
        </Field>
      </div>
    </Card>
  )
}
