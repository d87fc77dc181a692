/** Failures that concern all resources of an identity: it is throttled, its credential is missing, or its assertion expired. */
import { LRUCache } from 'lru-cache'
import { type AssertionClaims, type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findGraceMs } from '../aadsts.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Identity } from '../identities.ts'
import type { Clock } from './lifetime.ts'
import { createIdentityKey } from './cache-entry.ts'
import type { AccessToken } from './token.ts'

/** The error of the last 429 with Retry-After, and when that ends on the monotonic clock. */
interface Throttle {
  readonly error: BrokerError
  readonly until: number
}

/** An assertion that was rejected as expired. */
interface Expired {
  readonly secret: Secret
  readonly error: BrokerError
}

/** A request may name any client id, so above this number the least recently used identity is forgotten. */
const MAX_IDENTITIES = 1000

/** The failures that all exchanges of a process share. */
export class IdentityFailures {
  readonly #clock: Clock
  readonly #throttles = new LRUCache<string, Throttle>({ max: MAX_IDENTITIES })
  /** When the first rejection since a credential worked came, on the monotonic clock, by identity and subject. */
  readonly #rejectedSince = new LRUCache<string, number>({ max: MAX_IDENTITIES })

  /** By token file. */
  readonly #expired = new LRUCache<string, Expired>({ max: MAX_IDENTITIES })

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

  /** Records that the server, whose clock is known, has rejected the assertion as expired: it stays so. */
  addExpired({ tokenFile }: Identity, expired: Expired): void {
    this.#expired.set(tokenFile, expired)
  }

  /** Throws the error of an expired assertion until its file has another one: only the kubelet ends this failure. */
  requireUnexpired({ tokenFile }: Identity, secret: Secret): void {
    const expired = this.#expired.get(tokenFile)
    if (expired?.secret.equals(secret) === true) throw expired.error
  }

  /**
   * Settles as the POST of this assertion does, and records its failure. A rejection of something that may be new is
   * temporary during one grace, which begins with the first one; the next grace begins only after a token, or for the
   * assertion of another service account, which has another credential.
   */
  async record(
    identity: Identity,
    { issuer, subject }: Pick<AssertionClaims, 'issuer' | 'subject'>,
    post: () => Promise<AccessToken>,
  ): Promise<AccessToken> {
    const credential = JSON.stringify([createIdentityKey(identity), issuer, subject])
    try {
      const token = await post()
      this.#rejectedSince.delete(credential)
      return token
    } catch (thrown) {
      throw this.#recordError(identity, credential, toBrokerError(thrown))
    }
  }

  #recordError(identity: Identity, credential: string, error: BrokerError): BrokerError {
    const now = this.#clock.monotonic()
    const { code, retryAfterMs } = error
    if (code === 'entra_throttled' && retryAfterMs !== undefined) {
      this.#throttles.set(createIdentityKey(identity), { error, until: now + retryAfterMs })
    }
    const graceMs = findGraceMs(error)
    if (graceMs === 0) return error
    const since = this.#rejectedSince.get(credential) ?? now
    this.#rejectedSince.set(credential, since)
    const leftMs = since + graceMs - now
    return leftMs > 0 ? withGrace(error, this.#clock.wall() + leftMs) : error
  }
}

/** Returns the error as a temporary one. Without Retry-After: Entra's belongs to a permanent rejection. */
function withGrace(error: BrokerError, until: number): BrokerError {
  const time = new Date(until).toISOString().slice(11, 16)
  const problem = `${error.problem}; until ${time} UTC wimds answers with a temporary 503`
  return error.with({ problem, isPermanent: false, retryAfterMs: undefined })
}
