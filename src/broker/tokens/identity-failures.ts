/** Failures that concern all resources of an identity: it is throttled, or its credential is missing. */
import { LRUCache } from 'lru-cache'
import { type AssertionClaims, type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findGraceMs } from '../aadsts.ts'
import type { Identity } from '../identities.ts'
import type { Clock } from './lifetime.ts'
import { createIdentityKey } from './cache-entry.ts'
import type { AccessToken } from './token.ts'

/** The last response 429 with Retry-After, which ends then on the monotonic clock. */
interface Throttle {
  readonly error: BrokerError
  readonly until: number
}

/** The least recently used one is forgotten: a request may name any client id. */
const MAX_IDENTITIES = 1000

/** The failures that all exchanges of a process share. */
export class IdentityFailures {
  readonly #clock: Clock
  readonly #throttles = new LRUCache<string, Throttle>({ max: MAX_IDENTITIES })
  /** When the first rejection since the credential worked came, on the monotonic clock. */
  readonly #rejectedSince = new LRUCache<string, number>({ max: MAX_IDENTITIES })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws `entra_throttled` until the last Retry-After of the identity ends. */
  requireUnthrottled(identity: Identity): void {
    const throttle = this.#throttles.get(createIdentityKey(identity))
    if (throttle === undefined) return
    const retryAfterMs = throttle.until - this.#clock.monotonic()
    if (retryAfterMs > 0) throw throttle.error.with({ retryAfterMs })
  }

  /**
   * Settles as the POST for this identity does, and records its failure. A rejection of something that may be new is
   * temporary during one grace, which begins with the first one; the next grace begins only after a token, or for the
   * assertion of another service account, which has another credential.
   */
  async record(identity: Identity, post: () => Promise<AccessToken>): Promise<AccessToken> {
    try {
      const token = await post()
      this.#rejectedSince.delete(createCredentialKey(identity, token.audit))
      return token
    } catch (thrown) {
      throw this.#recordError(identity, toBrokerError(thrown))
    }
  }

  #recordError(identity: Identity, error: BrokerError): BrokerError {
    const now = this.#clock.monotonic()
    const { code, retryAfterMs, assertion } = error
    if (code === 'entra_throttled' && retryAfterMs !== undefined) {
      this.#throttles.set(createIdentityKey(identity), { error, until: now + retryAfterMs })
    }
    const graceMs = findGraceMs(error)
    if (graceMs === 0) return error
    const key = createCredentialKey(identity, assertion)
    const since = this.#rejectedSince.get(key) ?? now
    this.#rejectedSince.set(key, since)
    const leftMs = since + graceMs - now
    return leftMs > 0 ? withGrace(error, this.#clock.wall() + leftMs) : error
  }
}

/** Returns the key of the credential that an identity needs for assertions of this issuer and subject. */
function createCredentialKey(
  identity: Identity,
  { issuer, subject }: Partial<AssertionClaims> = {},
): string {
  return JSON.stringify([createIdentityKey(identity), issuer, subject])
}

/** Returns the error as a temporary one. Without Retry-After: Entra's belongs to a permanent rejection. */
function withGrace(error: BrokerError, until: number): BrokerError {
  const time = new Date(until).toISOString().slice(11, 16)
  const problem = `${error.problem}; until ${time} UTC wimds answers with a temporary 503`
  return error.with({ problem, isPermanent: false, retryAfterMs: undefined })
}
