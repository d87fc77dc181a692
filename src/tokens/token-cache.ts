/** Holds access tokens and answers from them at once, whatever Entra ID does. */
import { toBrokerError } from '../errors.ts'
import { type Clock, systemClock } from './clock.ts'
import { again, type CacheEntry, type Entry, newEntry, untilDueMs } from './entry.ts'
import { flights, type RenewalFailure } from './flights.ts'
import { LEAST_LIFE_MS, remainingAt, remainingMs } from './lifetime.ts'
import { overloaded } from './limiter.ts'
import {
  type AccessToken,
  type CallerTokens,
  cacheKey,
  type TokenRequest,
  type TokenSource,
} from './token.ts'
import { waitingCallers } from './waiting.ts'

export type { CacheEntry } from './entry.ts'

/** How the cache answered one request; `refreshed`: renewed a token that nobody waited for. */
export type CacheResult = 'hit' | 'refreshed' | 'miss' | 'coalesced' | 'refused' | 'bypassed'

export interface CacheOptions {
  /** Tokens held, and refusals remembered, at most; the least recently used goes first. */
  readonly max: number
  /** Callers that may wait at the same time; the next is refused, or gets what is held. Default: any. */
  readonly maxWaiting?: number
  /** Where renewals come from; by default, from where first tokens do. */
  readonly renew?: TokenSource
  readonly clock?: Clock
  /** Gives [0, 1); spreads renewals and retries. */
  readonly random?: () => number
  readonly onResult?: (result: CacheResult) => void
  readonly onRenewalFailed?: (failure: RenewalFailure) => void
}

/** A token source that holds tokens, with what its surroundings need to know and say. */
export interface TokenCache {
  readonly tokens: CallerTokens
  /** What is held or refused at this moment, for status and metrics. */
  readonly entries: () => readonly CacheEntry[]
  /** Forgets refusals of, and tries again, whatever depends on this projected token. */
  readonly assertionChanged: (tokenFile: string) => void
  /**
   * Goes on under a new configuration. `meaning` says what a request means there, and whether that is
   * still kept warm; undefined, or what has another key: nobody may ask for it, and it is let go.
   */
  readonly adopt: (meaning: (request: TokenRequest) => TokenRequest | undefined) => void
  /** Stops all renewals. */
  readonly close: () => void
}

/** `bypass_cache` is honoured at most this often for a key. */
const BYPASS_EVERY_MS = 60_000
/** A resource that refuses every token must not make an exchange of each request. */
const REPLACE_EVERY_MS = 1000
/** How long a caller that wants a new token waits for it before it gets the one that is held. */
const LONGEST_FORCED_WAIT_MS = 2000
/** A probe that is this late has been kept from starting; a caller may as well try. */
const PROBE_LATENESS_MS = 100

/**
 * One exchange per key at a time; no key waits for another. A usable token is always answered at
 * once, whatever the state of its renewal. Without one, a caller waits for one try; after a failed try
 * callers get the failure at once, with the time of the next try, until that try succeeds. Throws
 * `overloaded` for a caller who would have to wait where enough others do.
 */
export function cached(next: TokenSource, options: CacheOptions): TokenCache {
  const { max, maxWaiting = Infinity, renew = next } = options
  const { clock = systemClock, random = Math.random } = options
  const { onResult = () => {}, onRenewalFailed = () => {} } = options
  const { store, fly, flyInBackground, keepWarm, assertionChanged, adopt, close } = flights({
    obtain: next,
    renew,
    max,
    clock,
    random,
    onRefreshed: () => onResult('refreshed'),
    onRenewalFailed,
  })
  const waiting = waitingCallers(maxWaiting)

  return { tokens, entries: store.all, assertionChanged, adopt, close }

  async function tokens(request: TokenRequest, hasGone = neverGone): Promise<AccessToken> {
    const key = cacheKey(request)
    const entry = store.find(key) ?? newEntry(key, request)
    const { token } = entry
    const now = clock.monotonic()
    if (request.keepWarm !== true) entry.askedAt = now
    else if (!entry.keepWarm) keepWarm(entry)
    const leftMs = token === undefined ? 0 : remainingAt(token, clock.wall(), now)
    if (token === undefined || leftMs < LEAST_LIFE_MS) return obtained(entry, now, request, hasGone)
    if (isForced(request, entry, token, now) && waiting.hasRoom()) {
      onResult('bypassed')
      return waiting.during(hasGone, replaced(entry, token, now, request))
    }
    // Timers come late after a clock was set or a machine slept, and leave what was not in use.
    if (entry.flight === undefined && untilDueMs(entry, leftMs, now) <= 0) flyInBackground(entry)
    onResult('hit')
    return token
  }

  async function obtained(
    entry: Entry,
    now: number,
    { correlationId, keepWarm: isWish }: TokenRequest,
    hasGone: () => boolean,
  ): Promise<AccessToken> {
    const { failure, flight, nextTryAt } = entry
    // While a probe is out, or about to be, callers still hear the last failure; the probe's outcome is
    // for the next.
    const probeMs = entry.timer === undefined ? 0 : PROBE_LATENESS_MS
    if (failure !== undefined && (now < nextTryAt + probeMs || flight !== undefined)) {
      onResult('refused')
      throw again(failure.error, nextTryAt - now)
    }
    // A wish to keep warm is the configuration's, and takes no caller's place.
    if (isWish !== true && !waiting.hasRoom()) {
      throw overloaded('too many requests wait for Entra ID')
    }
    onResult(flight === undefined ? 'miss' : 'coalesced')
    const flown = fly(entry, correlationId)
    return isWish === true ? flown : waiting.during(hasGone, flown)
  }

  /** A new token if it comes soon, else the one that is held while that lives. */
  function replaced(
    entry: Entry,
    token: AccessToken,
    now: number,
    { correlationId }: TokenRequest,
  ): Promise<AccessToken> {
    entry.forcedAt = now
    return new Promise((resolve, reject) => {
      const settleForHeld = (otherwise: () => void) =>
        remainingMs(token, clock) < LEAST_LIFE_MS ? otherwise() : resolve(token)
      const timer = setTimeout(settleForHeld, LONGEST_FORCED_WAIT_MS, () => {})
      void fly(entry, correlationId)
        .then(resolve, (error: unknown) => settleForHeld(() => reject(toBrokerError(error))))
        .finally(() => clearTimeout(timer))
    })
  }
}

const neverGone = () => false

/** Whether this caller may have a new token although one is held. */
function isForced(request: TokenRequest, entry: Entry, token: AccessToken, now: number): boolean {
  const { bypassCache = false, refusedTokenSha256 } = request
  // An outage is no reason to let callers wait for what their token still does.
  if (entry.failure !== undefined) return false
  const lastAt = Math.max(entry.renewedAt, entry.forcedAt)
  if (bypassCache && now - lastAt >= BYPASS_EVERY_MS) return true
  return (
    refusedTokenSha256 !== undefined &&
    (entry.flight !== undefined || now - entry.forcedAt >= REPLACE_EVERY_MS) &&
    refusedTokenSha256 === token.secret.sha256()
  )
}
