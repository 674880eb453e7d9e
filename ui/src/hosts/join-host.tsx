'use client'

import { useMutation } from '@tanstack/react-query'
import { useEffect } from 'react'

import { hostsCreateJoinTokenMutation } from '@/api/@tanstack/react-query.gen'
import { Copy } from '@/design/copy'
import { Dialog } from '@/design/dialog'
import { refused } from '@/design/refused'
import { Failure, Skeleton } from '@/design/states'
import { Moment } from '@/design/time'

/** What to run on a machine so that it joins; the token is shown once and works once. */
export function JoinHost({ onClose }: { onClose: () => void }) {
  const { mutate, data, error } = useMutation(hostsCreateJoinTokenMutation())
  useEffect(() => mutate({ body: {} }), [mutate])
  const command = data ? `nexus agent --join ${data.url} --token ${data.token}` : ''
  return (
    <Dialog open onOpenChange={onClose} title="Add a host" description="Install Nexus on the new machine, then run there:" wide>
      {error ? <Failure refused={refused(error)} /> : null}
      {data ? (
        <div className="grid gap-3">
          <div className="flex items-start gap-2 rounded-md border bg-sunken p-3">
            <code className="min-w-0 flex-1 font-mono text-sm break-all">{command}</code>
            <Copy text={command} label="Copy the command" />
          </div>
          <p className="text-muted">
            The token works once, until <Moment at={data.expires_at} />. Treat it as a password until then.
          </p>
        </div>
      ) : error ? null : (
        <Skeleton className="h-16" />
      )}
    </Dialog>
  )
}
