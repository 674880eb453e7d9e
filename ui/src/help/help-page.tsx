import { Card } from '@/design/card'
import { PageHead } from '@/design/page'

const COMMANDS: [command: string, what: string][] = [
  ['nexus vm create web-1', 'A machine with the defaults; waits until it is ready'],
  ['nexus vm shell web-1', 'A terminal in it, without a password'],
  ['nexus vm exec web-1 -- uname -a', 'One command; its exit code is the command’s'],
  ['nexus vm list', 'All machines'],
  ['nexus vm stop web-1', 'Shut it down; start brings it back with its disk'],
  ['nexus image list', 'What machines can boot from'],
  ['nexus host list', 'The machines that run them'],
  ['nexus doctor', 'What this computer can do, and what it lacks'],
]

export function HelpPage() {
  return (
    <>
      <PageHead title="Help" />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Card title="On the command line">
          <dl className="grid gap-3">
            {COMMANDS.map(([command, what]) => (
              <div key={command}>
                <dt>
                  <code className="font-mono text-sm">{command}</code>
                </dt>
                <dd className="text-muted">{what}</dd>
              </div>
            ))}
          </dl>
        </Card>
        <Card title="In this page">
          <ul className="grid list-disc gap-2 pl-5">
            <li>
              <kbd className="rounded-sm border bg-sunken px-1 font-mono text-sm">Ctrl K</kbd> finds pages and machines and does things: type <em>stop web-1</em>.
            </li>
            <li>
              <kbd className="rounded-sm border bg-sunken px-1 font-mono text-sm">?</kbd> shows all keys.
            </li>
            <li>A button that cannot be used now says why when you point at it or reach it with Tab.</li>
            <li>What goes on shows at the top right, with its progress and, if it failed, the reason.</li>
            <li>An error has a request id: the server&apos;s log has the details under it.</li>
          </ul>
        </Card>
        <Card title="The API">
          <p>
            Everything here goes through the public API: its{' '}
            <a className="text-accent underline" href="/swagger-ui/">
              interactive description
            </a>{' '}
            and the{' '}
            <a className="text-accent underline" href="/openapi.json">
              OpenAPI document
            </a>
            .
          </p>
        </Card>
      </div>
    </>
  )
}
