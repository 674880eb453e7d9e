'use client'

import { Boxes, Ellipsis, Play, Trash2 } from 'lucide-react'
import { useTheme } from 'next-themes'
import { type ReactNode, useState } from 'react'

import type { State } from '@/api'
import { Badge, type Tone } from '@/design/badge'
import { Button } from '@/design/button'
import { Card, Facts } from '@/design/card'
import { Chart } from '@/design/chart'
import { useConfirm } from '@/design/confirm'
import { Copy } from '@/design/copy'
import { Checkbox, Field, Input, Select, Textarea } from '@/design/field'
import { FormDialog } from '@/design/form-dialog'
import { Menu } from '@/design/menu'
import { Meter } from '@/design/meter'
import { Sparkline } from '@/design/sparkline'
import { Empty, Failure, Loading } from '@/design/states'
import { Table } from '@/design/table'
import { Tabs } from '@/design/tabs'
import { Ago, Moment } from '@/design/time'
import { toast } from '@/design/toast'
import { useHydrated } from '@/route/route'
import { StateBadge } from '@/vms/state-badge'

const TONES: Tone[] = ['ok', 'busy', 'warn', 'bad', 'idle', 'unsure', 'accent']
const STATES: State[] = ['creating', 'starting', 'running', 'paused', 'stopping', 'stopped', 'suspended', 'error', 'unknown', 'deleting']
const KINDS = ['primary', 'plain', 'quiet', 'danger'] as const
const REFUSAL = 'Cannot start web-1: it is running already.'
const TIMES = Array.from({ length: 60 }, (_, second) => 1_800_000_000 + second)
const WAVE = TIMES.map((_, second) => 50 + 40 * Math.sin(second / 6))

/** Every component in every state, to be looked at in both themes while working on one. */
export function Gallery() {
  return useHydrated() ? <Everything /> : null // times and the theme are the browser's
}

function Everything() {
  const { resolvedTheme, setTheme } = useTheme()
  return (
    <main className="mx-auto grid max-w-6xl gap-4 p-6">
      <header className="flex items-center justify-between">
        <h1 className="text-2xl font-semibold">Design</h1>
        <Button onClick={() => setTheme(resolvedTheme === 'dark' ? 'light' : 'dark')}>Other theme</Button>
      </header>
      <Buttons />
      <Badges />
      <Fields />
      <Overlays />
      <Numbers />
      <Places />
    </main>
  )
}

const Line = ({ children }: { children: ReactNode }) => <div className="mb-3 flex flex-wrap items-center gap-2 last:mb-0">{children}</div>

function Buttons() {
  return (
    <Card title="Button">
      {KINDS.map((kind) => (
        <Line key={kind}>
          <Button kind={kind}>{kind}</Button>
          <Button kind={kind} size="sm">
            small
          </Button>
          <Button kind={kind}>
            <Play aria-hidden /> with icon
          </Button>
          <Button kind={kind} size="icon" aria-label={`${kind} icon`}>
            <Trash2 aria-hidden />
          </Button>
          <Button kind={kind} busy>
            busy
          </Button>
          <Button kind={kind} refusal={REFUSAL}>
            refused
          </Button>
        </Line>
      ))}
      <Line>
        <Button aria-pressed className="aria-pressed:border-accent aria-pressed:text-accent">
          pressed
        </Button>
        <Copy text="copied" label="Copy a text" />
      </Line>
    </Card>
  )
}

function Badges() {
  return (
    <Card title="Badge and state">
      <Line>
        {TONES.map((tone) => (
          <Badge key={tone} tone={tone}>
            {tone}
          </Badge>
        ))}
      </Line>
      <Line>
        {STATES.map((state) => (
          <StateBadge key={state} state={state} />
        ))}
        <StateBadge state="running" guest="booting" />
      </Line>
    </Card>
  )
}

function Fields() {
  const [text, setText] = useState('web-1')
  const input = <Input value={text} onChange={(event) => setText(event.target.value)} />
  return (
    <Card title="Field">
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Plain">{input}</Field>
        <Field label="Required, with a hint" required hint="Letters, digits and -">
          {input}
        </Field>
        <Field label="Wrong" error="That name is taken.">
          {input}
        </Field>
        <Field label="Disabled">
          <Input disabled value={text} readOnly />
        </Field>
        <Field label="Search">
          <Input type="search" placeholder="Search by name" />
        </Field>
        <Field label="Choice">
          <Select defaultValue="b">
            <option value="a">One</option>
            <option value="b">Another</option>
          </Select>
        </Field>
        <Field label="Long text">
          <Textarea defaultValue="Serves the shop" />
        </Field>
        <Checkbox label="Read-only" hint="The guest cannot write to it" defaultChecked />
      </div>
    </Card>
  )
}

function Overlays() {
  const confirm = useConfirm()
  const [isForm, setForm] = useState(false)
  return (
    <Card title="Menu, dialog, confirmation, toast">
      <Line>
        <Menu
          label="What to do"
          trigger={
            <Button>
              <Ellipsis aria-hidden /> Menu
            </Button>
          }
          entries={[
            { label: 'Stop', icon: <Play />, onSelect: () => {} },
            { label: 'Start', icon: <Play />, onSelect: () => {}, refusal: REFUSAL },
            { label: 'Delete', icon: <Trash2 />, onSelect: () => {}, isDangerous: true },
          ]}
        />
        <Button onClick={() => setForm(true)}>Form with an error</Button>
        <Button onClick={() => void confirm({ title: 'Delete web-1?', body: 'Everything on it is lost.', action: 'Delete', isDangerous: true })}>Confirmation</Button>
        <Button onClick={() => void confirm({ title: 'Delete 40 VMs?', body: 'Everything on them is lost.', action: 'Delete', isDangerous: true, typed: 'delete' })}>
          Typed confirmation
        </Button>
        <Button onClick={() => toast.success('Saved web-1', { description: 'It is in effect.' })}>Success</Button>
        <Button onClick={() => toast.error('Could not start web-1', { description: 'Its host is out of memory.' })}>Error</Button>
      </Line>
      {isForm ? (
        <FormDialog title="Edit web-1" description="What it is called." action="Save" isBusy={false} thrown={{ error: 'That name is taken.', code: 'vm_name_taken' }} onSubmit={() => setForm(false)} onClose={() => setForm(false)}>
          <Field label="Name">
            <Input defaultValue="web-1" />
          </Field>
        </FormDialog>
      ) : null}
    </Card>
  )
}

function Numbers() {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <Card title="Meter and sparkline">
        <div className="grid gap-3">
          {[0, 40, 85, 97].map((value) => (
            <Meter key={value} label="Memory" value={value} of={100} words={`${value} %`} />
          ))}
          <Line>
            <Sparkline values={WAVE.slice(0, 30)} places={30} />
            <Sparkline values={[20, 30, null, 60, 50]} places={30} />
            <Sparkline values={[50]} places={30} />
            <Sparkline values={[]} places={30} />
          </Line>
        </div>
      </Card>
      <Chart title="Chart" times={TIMES} format={(value) => `${value.toFixed(0)} %`} top={100} series={[{ label: 'used', color: '--accent', values: WAVE }]} />
    </div>
  )
}

function Places() {
  const [tab, setTab] = useState('facts')
  const [now] = useState(() => new Date().toISOString())
  return (
    <Tabs
      label="Places"
      value={tab}
      onChange={setTab}
      tabs={[
        { value: 'facts', label: 'Facts', content: <Facts of={[['Name', 'web-1'], ['Missing', null], ['Created', <Moment key="at" at={now} />], ['Seen', <Ago key="ago" at={now} />]]} /> },
        { value: 'table', label: 'Table', content: <Table label="Drives" heads={['Drive', 'Size']} rows={[{ key: 'a', cells: ['rootfs', '10 GiB'] }, { key: 'b', cells: ['data', '40 GiB'] }]} /> },
        { value: 'loading', label: 'Loading', content: <Loading rows={3} /> },
        {
          value: 'empty',
          label: 'Empty',
          content: (
            <Empty icon={<Boxes />} title="No virtual machines yet" action={<Button kind="primary">Create VM</Button>}>
              A VM is a Linux machine of its own, ready in seconds.
            </Empty>
          ),
        },
        {
          value: 'failure',
          label: 'Failure',
          content: <Failure refused={{ error: 'The host is out of memory.', suggestion: 'Stop a VM there, or choose a smaller size.', requestId: 'req_1' }} onRetry={() => {}} />,
        },
      ]}
    />
  )
}
