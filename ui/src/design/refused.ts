import type { ProblemBody } from '@/api'
import { say } from '@/words/words'

/** Why something could not be done, for a person. */
export type Refused = { error: string; suggestion?: string | null; code?: string; status?: number; requestId?: string | null }

/** What an API call threw, as something to show: the API's own words where there are any. */
export function refused(thrown: unknown): Refused {
  if (isProblem(thrown)) {
    const { error, suggestion, code, status, request_id } = thrown
    return { error, suggestion, code, status, requestId: request_id }
  }
  if (thrown instanceof TypeError) {
    return { error: say('failure.unreachable'), suggestion: say('failure.unreachableHint') }
  }
  return { error: thrown instanceof Error ? thrown.message : say('failure.page') }
}

function isProblem(thrown: unknown): thrown is ProblemBody {
  return typeof thrown === 'object' && thrown !== null && 'error' in thrown && 'code' in thrown
}
