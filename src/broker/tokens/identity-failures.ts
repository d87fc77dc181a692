/** Failures that concern all resources of an identity: it is throttled, or its credential is missing. */
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { type BrokerError, mayBePropagating, toBrokerError } from '../../lib/errors.ts'
import { type Clock, readAwakeTime, readWallOffset } from './clock.ts'
import { createCacheKey } from './cache-entry.ts'
import type { TokenSource } from './token.ts'

interface IdentityState {
  /** The last response 429 with Retry-After. `readAwakeTime` says when it is over. */
  throttle?: { readonly error: BrokerError; readonly until: number; readonly wallOffset: number }
  /** The first rejection since the credential worked, on the monotonic clock, and what Entra ID rejected. */
  refusal?: { readonly since: number; readonly assertion: BrokerError['assertion'] }
}

/**
 * A missing credential is temporary for this long. The propagation of a new one took about two minutes where it was
 * measured (E8), and clients with long retries look hung until the final answer.
 */
const GRACE_MS = 3 * 60_000
/** The least recently used one is forgotten: a request may name any client id. */
const MAX_IDENTITIES = 1000

/**
 * Shares the failures of an identity between its exchanges. Throws `entra_throttled` without an exchange until
 * Retry-After ends. A rejection of something that may be new is temporary during one grace, which begins with the first
 * one; the next grace begins only after a token, or for another assertion.
 */
export function shareIdentityFailures(next: TokenSource, clock: Clock): TokenSource {
  const states = new LRUCache<string, IdentityState>({ max: MAX_IDENTITIES })

  return async (request, signal) => {
    const key = createCacheKey(request.identity, '')
    const state = states.get(key) ?? {}
    states.set(key, state)
    const { throttle } = state
    if (throttle !== undefined) {
      const retryAfterMs = throttle.until - readAwakeTime(throttle.wallOffset, clock)
      if (retryAfterMs > 0) throw throttle.error.with({ retryAfterMs, isRepeated: true })
    }
    try {
      const token = await next(request, signal)
      delete state.refusal
      return token
    } catch (thrown) {
      throw recordFailure(state, toBrokerError(thrown), clock)
    }
  }
}

/** Returns the error for callers. */
function recordFailure(state: IdentityState, error: BrokerError, clock: Clock): BrokerError {
  // It is recorded for the other identity.
  if (error.isOfAssertion) return error
  const now = clock.monotonic()
  const { code, retryAfterMs, assertion } = error
  if (code === 'entra_throttled' && retryAfterMs !== undefined) {
    state.throttle = { error, until: now + retryAfterMs, wallOffset: readWallOffset(clock) }
  }
  if (!mayBePropagating(error)) return error
  if (!isDeepStrictEqual(state.refusal?.assertion, assertion)) delete state.refusal
  state.refusal ??= { since: now, assertion }
  const graceMs = state.refusal.since + GRACE_MS - now
  return graceMs > 0 ? withGrace(error, clock.wall() + graceMs) : error
}

/** Returns the error as a temporary one. Without Retry-After: Entra's belongs to a permanent rejection. */
function withGrace(error: BrokerError, temporaryUntil: number): BrokerError {
  const time = new Date(temporaryUntil).toISOString().slice(11, 16)
  const problem = `${error.problem}; until ${time} UTC wimds answers with a temporary 503`
  return error.with({ problem, temporaryUntil, retryAfterMs: undefined })
}
