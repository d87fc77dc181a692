/** The state of a sidecar in one word, with its reasons. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { firstItems } from '../lib/first-items.ts'
import { scrub } from '../secret.ts'
import type { Clock } from '../tokens/clock.ts'
import { toResource } from '../tokens/token.ts'
import type { CacheEntry } from '../tokens/token-cache.ts'
import type { ReadinessState } from './readiness.ts'
import type { StatusDocument } from './status-schema.ts'

interface StateSources {
  readonly readiness: Pick<ReadinessState, 'ready' | 'reasons'>
  readonly entries: readonly CacheEntry[]
  readonly assertions: ReadonlyMap<string, AssertionState>
  readonly clock: Clock
}

/** Failures whose next attempt is overdue by this much belong to tokens that are no longer requested. */
const ABANDONED_MS = 10 * 60_000

/** Returns the state as the status schema defines it, with a reason for each failure. */
export function findState({
  readiness,
  entries,
  assertions,
  clock,
}: StateSources): Pick<StatusDocument, 'state' | 'reasons'> {
  if (!readiness.ready) return { state: 'starting', reasons: [...readiness.reasons] }
  const failing = entries.filter(
    ({ failure, nextAttemptAt }) =>
      failure !== undefined && nextAttemptAt > clock.monotonic() - ABANDONED_MS,
  )
  const reasons = [
    ...describeAssertionFailures(assertions, clock.wall()),
    ...describeTokenFailures(failing),
  ]
  const isRejected = failing.some(
    ({ token, failure }) => token === undefined && failure?.error.isPermanent === true,
  )
  const hasNoToken = failing.length > 0 && entries.every(({ token }) => token === undefined)
  if (isRejected || hasNoToken) return { state: 'failing', reasons }
  return { state: reasons.length > 0 ? 'degraded' : 'ready', reasons }
}

function describeAssertionFailures(
  assertions: ReadonlyMap<string, AssertionState>,
  now: number,
): string[] {
  return [...assertions].flatMap(([file, state]) => {
    if (!state.ok) return scrub(state.error.message)
    if (state.assertion.expiresAt > now) return []
    return `the projected token in ${file} has expired: check that the kubelet rotates it`
  })
}

/** Returns one sentence for all tokens of an identity that fail with the same code. */
function describeTokenFailures(failing: readonly CacheEntry[]): string[] {
  const groups = Map.groupBy(failing, ({ request: { identity }, token, failure }) =>
    JSON.stringify([identity.clientId, failure?.error.code, token === undefined]),
  )
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { request, token, failure } = first
    const resources = group.map(({ request: { scope } }) => toResource(scope))
    const subject = scrub(
      `${firstItems(resources, MAX_NAMED).join(', ')} as ${request.identity.name}`,
    )
    const code = failure?.error.code ?? ''
    const noun = group.length === 1 ? 'the token' : 'tokens'
    const verb = group.length === 1 ? 'is' : 'are'
    return token === undefined
      ? `no token for ${subject}: ${code}`
      : `${noun} for ${subject} cannot be refreshed and ${verb} still served: ${code}`
  })
}

const MAX_NAMED = 3
