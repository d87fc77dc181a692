/** What is known of one key: its token, its failure, and whether anybody wants it. */
import { BrokerError } from '../errors.ts'
import type { AccessToken, TokenRequest } from './token.ts'

/** The state of one key, as status and metrics see it. */
export interface CacheEntry {
  readonly request: TokenRequest
  readonly token?: AccessToken
  /** The last tries to get or renew the token failed. */
  readonly failure?: Failure
  /** When it will be renewed or tried again, on the monotonic clock. */
  readonly nextTryAt: number
}

/** Why the tries failed, and how many of them in a row. */
interface Failure {
  readonly error: BrokerError
  readonly count: number
}

/** The state of one key. Instants are on the monotonic clock. */
export interface Entry extends CacheEntry {
  readonly key: string
  request: TokenRequest
  keepWarm: boolean
  /** No configuration knows it any more: it ends with the exchange that is under way. */
  isLetGo: boolean
  token?: AccessToken
  failure?: Failure
  /** The exchange under way; there is never a second one. */
  flight?: Promise<AccessToken>
  /** The projected token changed while the exchange was under way. */
  isOvertaken: boolean
  nextTryAt: number
  /** The token is due for renewal when no more than this is left of its life, in milliseconds. */
  renewAtMs: number
  /** When a caller last asked. */
  askedAt: number
  /** When the exchange that gave the token began. */
  renewedAt: number
  /** When a caller last made the token be renewed before it was due. */
  forcedAt: number
  timer?: NodeJS.Timeout
  /** When the timer is to act; it may wake up sooner to look at the clocks. */
  wakeAt: number
}

/** Callers that were refused are expected back for this long; meanwhile probes look for recovery. */
const DEMAND_MS = 2 * 60_000

/** An entry that nothing has been tried for yet. */
export function newEntry(key: string, request: TokenRequest): Entry {
  return {
    key,
    request: shared(request),
    keepWarm: false,
    isLetGo: false,
    isOvertaken: false,
    nextTryAt: 0,
    renewAtMs: 0,
    askedAt: 0,
    renewedAt: 0,
    forcedAt: -Infinity,
    wakeAt: 0,
  }
}

/** What all callers of a key ask for, without how one of them wants the cache used. */
export function shared({ identity, scope, claims }: TokenRequest): TokenRequest {
  return { identity, scope, ...(claims !== undefined && { claims }) }
}

/**
 * Milliseconds until the next try, given what is left of the token's life; none are left when it is
 * due. A renewal is due by what is left of the life, so that a clock set forward or a machine that slept
 * brings it forward; a retry by the monotonic clock.
 */
export function untilDueMs(
  { failure, renewAtMs, nextTryAt }: Entry,
  leftMs: number,
  now: number,
): number {
  return failure === undefined ? leftMs - renewAtMs : nextTryAt - now
}

/** Whether somebody still wants this key's token, so that it is worth a call to Entra ID. */
export function isWanted({ keepWarm, token, failure, askedAt, renewedAt }: Entry, now: number) {
  if (keepWarm) return true
  if (token !== undefined) return askedAt > renewedAt
  return failure?.error.isPermanent === false && now - askedAt < DEMAND_MS
}

/** The failure as one more caller hears it: the same, but for the time until the next try. */
export function again(error: BrokerError, retryAfterMs: number): BrokerError {
  return new BrokerError(error.code, error.message, {
    cause: error.cause,
    retryAfterMs: Math.max(0, retryAfterMs),
    ...(error.entra !== undefined && { entra: error.entra }),
  })
}
