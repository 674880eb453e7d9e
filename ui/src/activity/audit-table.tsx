import Link from 'next/link'

import type { AuditEntry } from '@/api'
import { Ago } from '@/design/time'
import { say } from '@/words/words'

/** Who did what, to what, when; what else is known unfolds. */
export function AuditTable({ entries, label, withSubject }: { entries: AuditEntry[]; label: string; withSubject?: boolean }) {
  return (
    <div className="relative overflow-x-auto">
      <table aria-label={label} className="w-full text-left">
        <thead>
          <tr className="border-b text-sm text-muted">
            <th scope="col" className="py-1.5 pr-4 font-medium">{say('activity.when')}</th>
            <th scope="col" className="py-1.5 pr-4 font-medium">{say('activity.actor')}</th>
            <th scope="col" className="py-1.5 pr-4 font-medium">{say('activity.what')}</th>
            {withSubject ? <th scope="col" className="py-1.5 pr-4 font-medium">{say('activity.to')}</th> : null}
            <th scope="col" className="py-1.5 font-medium">{say('activity.details')}</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id} className="border-b align-top last:border-0">
              <td className="py-1.5 pr-4 whitespace-nowrap text-muted">
                <Ago at={entry.at} />
              </td>
              <td className="py-1.5 pr-4">{entry.actor_name}</td>
              <td className="py-1.5 pr-4 font-medium whitespace-nowrap">{entry.verb}</td>
              {withSubject ? <td className="py-1.5 pr-4">{subject(entry)}</td> : null}
              <td className="min-w-52 py-1.5 font-mono text-xs break-words text-muted">{details(entry)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function subject({ subject_kind, subject_id, subject_name }: AuditEntry) {
  const name = subject_name || subject_kind
  return subject_kind === 'vm' && subject_id ? (
    <Link href={`/vms/${subject_id}`} prefetch={false} className="hover:underline">
      {name}
    </Link>
  ) : (
    name
  )
}

const details = (entry: AuditEntry) =>
  Object.entries(entry.details)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
