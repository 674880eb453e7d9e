'use client'

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Check } from 'lucide-react'
import dynamic from 'next/dynamic'
import Link from 'next/link'
import { useRouter } from 'next/navigation'
import { type FormEvent, type ReactNode, useState } from 'react'

import { templatesListOptions, vmsCreateMutation } from '@/api/@tanstack/react-query.gen'
import { Button } from '@/design/button'
import { cn } from '@/design/cn'
import { PageHead } from '@/design/page'
import { refused } from '@/design/refused'
import { Failure, Loading } from '@/design/states'
import { toast } from '@/design/toast'
import { useUrlState } from '@/route/route'
import { type Key, say } from '@/words/words'

import { BLANK, bodyOf, type Draft, errorsOf, fromTemplate } from './draft'
import { Basics, Boot, Machine, SignIn, type StepProps } from './steps'
import { Review } from './review'

const FromSnapshot = dynamic(() => import('./from-snapshot').then((module) => module.FromSnapshot), { ssr: false, loading: () => <Loading rows={4} /> })

type Step = { value: string; label: Key; fields: (keyof Draft)[]; form: (props: StepProps) => ReactNode }

const STEPS: Step[] = [
  { value: 'basics', label: 'create.basics', fields: ['name'], form: Basics },
  { value: 'sign-in', label: 'create.signIn', fields: ['username', 'password'], form: SignIn },
  { value: 'machine', label: 'vm.machine', fields: ['vcpu', 'memMib', 'diskGib'], form: Machine },
  { value: 'boot', label: 'config.boot', fields: ['kernel', 'image', 'bootArgs'], form: Boot },
  { value: 'review', label: 'create.review', fields: [], form: Review },
]

/** A VM of one's own making, or one that goes on from a snapshot: as the address says. */
export function CreateVm() {
  const [from] = useUrlState('from')
  const [snapshot] = useUrlState('snapshot')
  const [template] = useUrlState('template')
  const isRestore = from === 'snapshot' || snapshot !== ''
  const below = isRestore ? say('restore.below') : template ? say('create.fromTemplate', { name: template }) : say('create.below')
  return (
    <>
      <PageHead title={say('palette.create')} below={below} />
      <Beginnings isRestore={isRestore} />
      {isRestore ? <FromSnapshot /> : <New template={template} />}
    </>
  )
}

/** What a VM can begin from; the first link is also the way out of a template. */
function Beginnings({ isRestore }: { isRestore: boolean }) {
  const ways: [href: string, label: string, isChosen: boolean][] = [
    ['/vms/create', say('create.new'), !isRestore],
    ['/vms/create?from=snapshot', say('create.fromSnapshot'), isRestore],
  ]
  return (
    <nav aria-label={say('create.beginWith')} className="mb-4 flex flex-wrap gap-2">
      {ways.map(([href, label, isChosen]) => (
        <Button key={href} size="sm" asChild className="aria-[current=page]:border-accent aria-[current=page]:text-accent">
          <Link href={href} aria-current={isChosen ? 'page' : undefined} prefetch={false}>
            {label}
          </Link>
        </Button>
      ))}
    </nav>
  )
}

/** The wizard, begun with the template that the address names. */
function New({ template: name }: { template: string }) {
  const templates = useQuery({ ...templatesListOptions({ query: { q: name, limit: 500 } }), enabled: name !== '' })
  if (name === '') return <Wizard key="blank" begun={BLANK} />
  if (templates.isPending) return <Loading />
  const template = templates.data?.items.find((one) => one.name === name)
  if (!template) return <Failure refused={templates.error ? refused(templates.error) : { error: say('create.noTemplate', { name }), suggestion: say('create.noTemplateHint') }} />
  return <Wizard key={template.id} begun={fromTemplate(template)} />
}

function Wizard({ begun }: { begun: Draft }) {
  const router = useRouter()
  const queries = useQueryClient()
  const [draft, setDraft] = useState<Draft>(begun)
  const [touched, setTouched] = useState<ReadonlySet<keyof Draft>>(new Set())
  const [at, setAt] = useUrlState('step', 'basics')
  const index = Math.max(0, STEPS.findIndex(({ value }) => value === at))
  const step = STEPS[index]!
  const errors = errorsOf(draft)
  const shown = Object.fromEntries(Object.entries(errors).filter(([field]) => touched.has(field as keyof Draft)))
  const create = useMutation({
    ...vmsCreateMutation(),
    onSuccess: (made) => {
      void queries.invalidateQueries()
      toast.success(say('create.told', { name: draft.name }))
      router.push('id' in made ? `/vms/${made.id}` : '/vms')
    },
  })
  const set = (changes: Partial<Draft>) => setDraft({ ...draft, ...changes })
  const touch = (fields: (keyof Draft)[]) => setTouched(new Set([...touched, ...fields]))
  const invalid = STEPS.find(({ fields }) => fields.some((field) => errors[field]))
  const submit = () => {
    if (invalid) {
      touch(invalid.fields)
      setAt(invalid.value)
    } else create.mutate({ body: bodyOf(draft) })
  }
  const next = (event: FormEvent) => {
    event.preventDefault()
    touch(step.fields)
    if (step.value === 'review') submit()
    else if (!step.fields.some((field) => errors[field])) setAt(STEPS[index + 1]!.value)
  }
  const Form = step.form
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[13rem_minmax(0,1fr)] lg:gap-6">
      <Steps at={index} wrong={(fields) => fields.some((field) => shown[field])} onGo={setAt} />
      <form onSubmit={next} noValidate className="grid max-w-2xl gap-5 rounded-lg border bg-surface p-5">
        <h2 className="text-lg font-semibold">{say(step.label)}</h2>
        {create.error ? <Failure refused={refused(create.error)} /> : null}
        <Form draft={draft} errors={shown} set={set} onLeave={(field) => touch([field])} onGo={setAt} />
        <div className="flex flex-wrap gap-2 border-t pt-4">
          {index > 0 ? <Button onClick={() => setAt(STEPS[index - 1]!.value)}>{say('create.back')}</Button> : null}
          {step.value === 'review' ? null : <Button type="submit">{say('create.next')}</Button>}
          <Button kind="primary" busy={create.isPending} refusal={invalid ? `${say(invalid.label)}: ${Object.values(errors)[0]}` : null} onClick={submit}>
            {say('vms.create')}
          </Button>
          <Button kind="quiet" asChild className="ml-auto">
            <Link href="/vms">{say('do.cancel')}</Link>
          </Button>
        </div>
      </form>
    </div>
  )
}

function Steps({ at, wrong, onGo }: { at: number; wrong: (fields: (keyof Draft)[]) => boolean; onGo: (step: string) => void }) {
  return (
    <nav aria-label={say('create.steps')} className="min-w-0">
      <ol className="flex gap-1 overflow-x-auto lg:grid">
        {STEPS.map(({ value, label, fields }, index) => (
          <li key={value}>
            <button
              type="button"
              aria-current={index === at ? 'step' : undefined}
              onClick={() => onGo(value)}
              className={cn('flex w-full items-center gap-2.5 rounded-md px-2.5 py-2 text-left font-medium whitespace-nowrap', index === at ? 'bg-accent-soft text-accent' : 'text-muted hover:bg-sunken')}
            >
              <span aria-hidden className="grid size-5 place-items-center rounded-full border text-xs">
                {wrong(fields) ? '!' : index < at ? <Check className="size-3" /> : index + 1}
              </span>
              {say(label)}
              {wrong(fields) ? <span className="sr-only">{say('create.needsAttention')}</span> : null}
            </button>
          </li>
        ))}
      </ol>
    </nav>
  )
}
