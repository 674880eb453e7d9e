'use client'

import { Card } from '@/design/card'
import { PageHead } from '@/design/page'
import { type Key, say } from '@/words/words'

const COMMANDS: [command: string, what: Key][] = [
  ['nexus vm create web-1', 'help.create'],
  ['nexus vm shell web-1', 'help.shell'],
  ['nexus vm exec web-1 -- uname -a', 'help.exec'],
  ['nexus vm list', 'help.list'],
  ['nexus vm stop web-1', 'help.stop'],
  ['nexus snapshot create web-1', 'help.snapshot'],
  ['nexus image list', 'help.images'],
  ['nexus host list', 'help.hosts'],
  ['nexus doctor', 'help.doctor'],
]

export function HelpPage() {
  return (
    <>
      <PageHead title={say('place.help')} />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Card title={say('help.cli')}>
          <dl className="grid gap-3">
            {COMMANDS.map(([command, what]) => (
              <div key={command}>
                <dt>
                  <code className="font-mono text-sm">{command}</code>
                </dt>
                <dd className="text-muted">{say(what)}</dd>
              </div>
            ))}
          </dl>
        </Card>
        <Card title={say('help.page')}>
          <ul className="grid list-disc gap-2 pl-5">
            <li>
              <kbd className="rounded-sm border bg-sunken px-1 font-mono text-sm">Ctrl K</kbd> {say('help.palette')}
            </li>
            <li>
              <kbd className="rounded-sm border bg-sunken px-1 font-mono text-sm">?</kbd> {say('help.keys')}
            </li>
            <li>{say('help.buttons')}</li>
            <li>{say('help.tray')}</li>
            <li>{say('help.errors')}</li>
          </ul>
        </Card>
        <Card title={say('help.api')}>
          <p>
            {say('help.throughApi')}{' '}
            <a className="text-accent underline" href="/swagger-ui/">
              {say('help.swagger')}
            </a>
            {' · '}
            <a className="text-accent underline" href="/openapi.json">
              {say('help.openapi')}
            </a>
          </p>
        </Card>
      </div>
    </>
  )
}
