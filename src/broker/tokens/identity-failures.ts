/** Failures that concern all resources of an identity: it is throttled, or its credential is missing. */
import { LRUCache } from 'lru-cache'
import { type AssertionClaims, type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findGraceMs } from './grace.ts'
import type { Clock } from './lifetime.ts'
import type { AccessToken } from './token.ts'

/** The error of the last 429 with Retry-After, and when Retry-After ends, on the monotonic clock. */
interface Throttle {
  readonly error: BrokerError
  readonly until: number
}

/** A request may name any client id, so above this number the least recently used identity is forgotten. */
const MAX_IDENTITIES = 1000

/** The failures that all exchanges of a process share. */
export class IdentityFailures {
  readonly #clock: Clock
  readonly #throttles = new LRUCache<string, Throttle>({ max: MAX_IDENTITIES })
  /**
   * When a credential was rejected for the first time since it last worked, on the monotonic clock; by identity, issuer and
   * subject.
   */
  readonly #rejectedSince = new LRUCache<string, number>({ max: MAX_IDENTITIES })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws `entra_throttled` until the last Retry-After of the identity ends. */
  requireUnthrottled(identityKey: string): void {
    const throttle = this.#throttles.get(identityKey)
    if (throttle === undefined) return
    const retryAfterMs = throttle.until - this.#clock.monotonic()
    if (retryAfterMs > 0) throw throttle.error.with({ retryAfterMs })
  }

  /**
   * Settles like the attempt, and records its outcome. While the missing credential or application may be new, its rejection is
   * temporary. This grace begins with the first rejection. Another grace begins only after a token, or for the assertion of
   * another service account, which has another credential.
   */
  async record(identityKey: string, attempt: Promise<AccessToken>): Promise<AccessToken> {
    try {
      const token = await attempt
      this.#rejectedSince.delete(createCredentialKey(identityKey, token.audit))
      return token
    } catch (thrown) {
      throw this.#recordError(identityKey, toBrokerError(thrown))
    }
  }

  #recordError(identityKey: string, error: BrokerError): BrokerError {
    const now = this.#clock.monotonic()
    const { code, retryAfterMs } = error
    if (code === 'entra_throttled' && retryAfterMs !== undefined) {
      this.#throttles.set(identityKey, { error, until: now + retryAfterMs })
    }
    const graceMs = findGraceMs(error)
    if (graceMs === 0) return error
    const credential = createCredentialKey(identityKey, error.entra?.assertion)
    const since = this.#rejectedSince.get(credential) ?? now
    this.#rejectedSince.set(credential, since)
    const leftMs = since + graceMs - now
    return leftMs > 0 ? withGrace(error, this.#clock.wall() + leftMs) : error
  }
}

/** Returns the key of the credential that an assertion with these claims needs. */
function createCredentialKey(
  identityKey: string,
  assertion: Pick<AssertionClaims, 'issuer' | 'subject'> | undefined,
): string {
  return JSON.stringify([identityKey, assertion?.issuer, assertion?.subject])
}

/** Returns the error as a temporary one, and without Entra ID's Retry-After, which is meant for a permanent rejection. */
function withGrace(error: BrokerError, until: number): BrokerError {
  const time = new Date(until).toISOString().slice(11, 16)
  const problem = `${error.problem}; until ${time} UTC wimds answers with a temporary 503`
  return error.with({ problem, isPermanent: false, retryAfterMs: undefined })
}
