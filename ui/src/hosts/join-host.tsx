'use client'

import { useMutation } from '@tanstack/react-query'
import { useEffect } from 'react'

import { hostsCreateJoinTokenMutation } from '@/api/@tanstack/react-query.gen'
import { Copy } from '@/design/copy'
import { Dialog } from '@/design/dialog'
import { refused } from '@/design/refused'
import { Failure, Skeleton } from '@/design/states'
import { Moment } from '@/design/time'
import { say } from '@/words/words'

/** What to run on a machine so that it joins; the token is shown once and works once. */
export function JoinHost({ onClose }: { onClose: () => void }) {
  const { mutate, data, error } = useMutation(hostsCreateJoinTokenMutation())
  useEffect(() => mutate({ body: {} }), [mutate])
  const command = data ? `nexus agent --join ${data.url} --token ${data.token}` : ''
  return (
    <Dialog open onOpenChange={onClose} title={say('host.add')} description={say('host.joinHint')} wide>
      {error ? <Failure refused={refused(error)} /> : null}
      {data ? (
        <div className="grid gap-3">
          <div className="flex items-start gap-2 rounded-md border bg-sunken p-3">
            <code className="min-w-0 flex-1 font-mono text-sm break-all">{command}</code>
            <Copy text={command} label={say('host.copyCommand')} />
          </div>
          <p className="text-muted">
            {say('host.tokenUntil')} <Moment at={data.expires_at} />. {say('host.tokenSecret')}
          </p>
        </div>
      ) : error ? null : (
        <Skeleton className="h-16" />
      )}
    </Dialog>
  )
}
