/** Whether all is well, in one word and the sentences behind it: pure. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../secret.ts'
import type { CacheEntry } from '../tokens/token-cache.ts'
import type { Clock } from '../tokens/clock.ts'
import { resourceIn } from '../tokens/token.ts'
import type { Readiness } from './status.ts'
import type { StatusDocument } from './status-schema.ts'

interface StateSources {
  readonly readiness: Pick<Readiness, 'ready' | 'reasons'>
  readonly entries: readonly CacheEntry[]
  readonly assertions: ReadonlyMap<string, AssertionState>
  readonly clock: Clock
}

/** A failure whose next try is this long past is one that nobody waits for any more. */
const FORGOTTEN_MS = 10 * 60_000

/** The state as the status schema defines it; a reason for each that is not well. */
export function stateOf({
  readiness,
  entries,
  assertions,
  clock,
}: StateSources): Pick<StatusDocument, 'state' | 'reasons'> {
  if (!readiness.ready) return { state: 'starting', reasons: [...readiness.reasons] }
  const failing = entries.filter(
    ({ failure, nextTryAt }) =>
      failure !== undefined && nextTryAt > clock.monotonic() - FORGOTTEN_MS,
  )
  const reasons = [...assertionReasons(assertions, clock.wall()), ...failing.map(reasonOf)]
  const isRefused = failing.some(
    ({ token, failure }) => token === undefined && failure?.error.isPermanent === true,
  )
  if (isRefused) return { state: 'refused', reasons }
  return { state: reasons.length > 0 ? 'degraded' : 'ready', reasons }
}

function assertionReasons(assertions: ReadonlyMap<string, AssertionState>, now: number): string[] {
  return [...assertions].flatMap(([file, state]) => {
    if (!state.ok) return scrub(state.error.message)
    if (state.assertion.expiresAt > now) return []
    return `the projected token in ${file} has expired: check that the kubelet renews it`
  })
}

function reasonOf({ request: { identity, scope }, token, failure }: CacheEntry): string {
  const what = scrub(`${resourceIn(scope)} as ${identity.name}`)
  const code = failure?.error.code ?? ''
  return token === undefined
    ? `no token for ${what}: ${code}`
    : `the token for ${what} cannot be renewed and is still served: ${code}`
}
