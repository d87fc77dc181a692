/** Failures that concern all resources of an identity: it is throttled, or its credential is missing. */
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findGraceMs } from '../aadsts.ts'
import type { Identity } from '../identities.ts'
import { type Clock, readAwakeTime, readWallOffset } from './clock.ts'
import { createIdentityKey } from './cache-entry.ts'
import type { AccessToken } from './token.ts'

/** The last response 429 with Retry-After. `readAwakeTime` says when it is over. */
interface Throttle {
  readonly error: BrokerError
  readonly until: number
  readonly wallOffset: number
}

/** The first rejection since the credential worked, on the monotonic clock, and what Entra ID rejected. */
interface Refusal {
  readonly since: number
  readonly assertion: BrokerError['assertion']
}

/** The least recently used one is forgotten: a request may name any client id. */
const MAX_IDENTITIES = 1000

/** The throttled identities of a process. */
export type Throttles = LRUCache<string, Throttle>

export function createThrottles(): Throttles {
  return new LRUCache({ max: MAX_IDENTITIES })
}

/**
 * The failures that all exchanges of an identity share. All exchanges of a process share the throttles; those of one service
 * account share the grace, since another account has another credential.
 */
export class IdentityFailures {
  readonly #clock: Clock
  readonly #throttles: Throttles
  readonly #refusals = new LRUCache<string, Refusal>({ max: MAX_IDENTITIES })

  constructor(clock: Clock, throttles: Throttles) {
    this.#clock = clock
    this.#throttles = throttles
  }

  /** Throws `entra_throttled` until the last Retry-After of the identity ends. */
  requireUnthrottled(identity: Identity): void {
    const throttle = this.#throttles.get(createIdentityKey(identity))
    if (throttle === undefined) return
    const retryAfterMs = throttle.until - readAwakeTime(throttle.wallOffset, this.#clock)
    if (retryAfterMs > 0) throw throttle.error.with({ retryAfterMs })
  }

  /**
   * Settles as the POST for this identity does, and records its failure. A rejection of something that may be new is
   * temporary during one grace, which begins with the first one; the next grace begins only after a token, or for another
   * assertion.
   */
  async record(identity: Identity, post: () => Promise<AccessToken>): Promise<AccessToken> {
    const key = createIdentityKey(identity)
    try {
      const token = await post()
      this.#refusals.delete(key)
      return token
    } catch (thrown) {
      throw this.#recordError(key, toBrokerError(thrown))
    }
  }

  #recordError(key: string, error: BrokerError): BrokerError {
    const now = this.#clock.monotonic()
    const { code, retryAfterMs, assertion } = error
    if (code === 'entra_throttled' && retryAfterMs !== undefined) {
      const wallOffset = readWallOffset(this.#clock)
      this.#throttles.set(key, { error, until: now + retryAfterMs, wallOffset })
    }
    const graceMs = findGraceMs(error)
    if (graceMs === 0) return error
    const last = this.#refusals.get(key)
    const isSame = last !== undefined && isDeepStrictEqual(last.assertion, assertion)
    const refusal = isSame ? last : { since: now, assertion }
    this.#refusals.set(key, refusal)
    const leftMs = refusal.since + graceMs - now
    return leftMs > 0 ? withGrace(error, this.#clock.wall() + leftMs) : error
  }
}

/** Returns the error as a temporary one. Without Retry-After: Entra's belongs to a permanent rejection. */
function withGrace(error: BrokerError, until: number): BrokerError {
  const time = new Date(until).toISOString().slice(11, 16)
  const problem = `${error.problem}; until ${time} UTC wimds answers with a temporary 503`
  return error.with({ problem, isPermanent: false, retryAfterMs: undefined })
}
