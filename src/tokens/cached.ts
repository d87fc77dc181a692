/** Holds access tokens, renews them ahead of need, and answers at once while Entra ID cannot. */
import { LRUCache } from 'lru-cache'
import { BrokerError, toBrokerError } from '../errors.ts'
import { retryDelayMs } from './backoff.ts'
import { type Clock, systemClock } from './clock.ts'
import { isUsable, remainingMs, renewalDelayMs } from './lifetime.ts'
import { type AccessToken, cacheKey, type TokenRequest, type TokenSource } from './token.ts'

/** How the cache answered one request. */
export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'refused' | 'bypassed'

interface CacheOptions {
  /** Tokens held, and refusals remembered, at most; the least recently used goes first. */
  readonly max: number
  readonly clock?: Clock
  /** Gives [0, 1); spreads renewals and retries. */
  readonly random?: () => number
  readonly onResult?: (result: CacheResult) => void
}

/** A token source that holds tokens, with what its surroundings need to know and say. */
export interface TokenCache {
  readonly tokens: TokenSource
  /** What is held or refused at this moment, for status and metrics. */
  readonly entries: () => readonly CacheEntry[]
  /** Forgets refusals of, and tries again, whatever depends on this projected token. */
  readonly assertionChanged: (tokenFile: string) => void
  /** Stops all renewals. */
  readonly close: () => void
}

/** The state of one key. */
export interface CacheEntry {
  readonly request: TokenRequest
  readonly token?: AccessToken
  /** The last tries to get or renew the token failed. */
  readonly failure?: Failure
  /** When it will be renewed or tried again, on the monotonic clock. */
  readonly nextTryAt: number
}

interface Failure {
  readonly error: BrokerError
  readonly count: number
}

interface Entry extends CacheEntry {
  readonly key: string
  keepWarm: boolean
  token?: AccessToken
  failure?: Failure
  nextTryAt: number
  /** When a caller last asked, on the monotonic clock. */
  askedAt: number
  /** When the token was last obtained, on the monotonic clock. */
  renewedAt: number
  timer?: NodeJS.Timeout
}

/** Callers that were refused are expected back for this long; meanwhile probes look for recovery. */
const DEMAND_MS = 5 * 60_000
/** `bypass_cache` is honoured at most this often for a key. */
const BYPASS_EVERY_MS = 60_000
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * One flight per key; no key waits for another. A usable token is always answered at once, whatever
 * the state of its renewal. Without one, a caller waits for one try; after a failed try callers get
 * the failure at once, with the time of the next try, until that try succeeds.
 */
export function cached(next: TokenSource, options: CacheOptions): TokenCache {
  const { max, clock = systemClock, random = Math.random, onResult = () => {} } = options
  const dispose = (entry: Entry, _key: string, reason: LRUCache.DisposeReason) => {
    if (reason === 'evict') clearTimeout(entry.timer)
  }
  // Two stores, so that a flood of requests that end in refusals cannot push tokens out.
  const held = new LRUCache<string, Entry>({ max, dispose })
  const refused = new LRUCache<string, Entry>({ max, dispose })
  const flights = new Map<string, Promise<AccessToken>>()

  return { tokens, entries, assertionChanged, close }

  async function tokens(request: TokenRequest): Promise<AccessToken> {
    const key = cacheKey(request)
    const now = clock.monotonic()
    const entry = held.get(key)
    if (entry !== undefined && request.keepWarm === true) entry.keepWarm = true
    if (entry?.token !== undefined && isUsable(entry.token, clock)) {
      if (wantsNew(request, entry, entry.token)) {
        onResult('bypassed')
        const { token } = entry
        return fly(entry).catch(() => token)
      }
      entry.askedAt = now
      // Its timer let go of it while nobody asked; this caller shows that it is wanted again.
      if (entry.timer === undefined && now >= entry.nextTryAt) background(entry)
      onResult('hit')
      return entry.token
    }
    return tokenNotHeld(entry ?? refused.get(key) ?? newEntry(key, request))
  }

  function tokenNotHeld(entry: Entry): Promise<AccessToken> {
    const now = clock.monotonic()
    entry.askedAt = now
    const isUnderway = flights.has(entry.key)
    // While a probe is out callers still hear the last failure; the probe's outcome is for the next.
    if (entry.failure !== undefined && (now < entry.nextTryAt || isUnderway)) {
      onResult('refused')
      throw again(entry.failure.error, entry.nextTryAt - now)
    }
    onResult(isUnderway ? 'coalesced' : 'miss')
    return fly(entry)
  }

  function wantsNew(request: TokenRequest, entry: Entry, token: AccessToken): boolean {
    const isDue = clock.monotonic() - entry.renewedAt >= BYPASS_EVERY_MS
    if (request.bypassCache === true && isDue) return entry.failure === undefined
    const { refusedTokenSha256 } = request
    if (refusedTokenSha256 === undefined || entry.failure !== undefined) return false
    return refusedTokenSha256 === token.secret.sha256()
  }

  /** The flight of this key: the one under way, or a new one. */
  function fly(entry: Entry): Promise<AccessToken> {
    const underway = flights.get(entry.key)
    if (underway !== undefined) return underway
    clearTimer(entry)
    const flight = next(entry.request).then(
      (token) => landed(entry, token),
      (thrown: unknown) => failed(entry, toBrokerError(thrown)),
    )
    flights.set(entry.key, flight)
    return flight
  }

  function landed(entry: Entry, token: AccessToken): AccessToken {
    flights.delete(entry.key)
    entry.token = token
    delete entry.failure
    entry.renewedAt = clock.monotonic()
    refused.delete(entry.key)
    held.set(entry.key, entry)
    schedule(entry, renewalDelayMs(token, random))
    return token
  }

  function failed(entry: Entry, error: BrokerError): never {
    flights.delete(entry.key)
    entry.failure = { error, count: (entry.failure?.count ?? 0) + 1 }
    let heldMs = 0
    if (entry.token !== undefined && isUsable(entry.token, clock)) {
      heldMs = remainingMs(entry.token, clock)
    } else {
      delete entry.token
      held.delete(entry.key)
      refused.set(entry.key, entry)
    }
    const delay = retryDelayMs(error, { failures: entry.failure.count, heldMs }, random)
    schedule(entry, delay)
    throw again(error, delay)
  }

  function schedule(entry: Entry, delayMs: number): void {
    clearTimer(entry)
    entry.nextTryAt = clock.monotonic() + delayMs
    entry.timer = setTimeout(() => due(entry), Math.min(delayMs, MAX_TIMER_MS)).unref()
  }

  function due(entry: Entry): void {
    delete entry.timer
    if (isInDemand(entry)) background(entry)
  }

  /** Whether somebody still wants this key's token, so that it is worth a call to Entra ID. */
  function isInDemand({ keepWarm, token, failure, askedAt, renewedAt }: Entry): boolean {
    if (keepWarm) return true
    if (token !== undefined) return askedAt >= renewedAt
    return failure?.error.isPermanent === false && clock.monotonic() - askedAt < DEMAND_MS
  }

  /** A try that no caller waits for; its failure is kept in the entry and reported by `next`. */
  function background(entry: Entry): void {
    fly(entry).catch(() => {})
  }

  function clearTimer(entry: Entry): void {
    clearTimeout(entry.timer)
    delete entry.timer
  }

  function entries(): readonly CacheEntry[] {
    return [...held.values(), ...refused.values()]
  }

  function assertionChanged(tokenFile: string): void {
    for (const entry of [...refused.values(), ...held.values()]) {
      if (entry.request.identity.tokenFile !== tokenFile || entry.failure === undefined) continue
      if (entry.token === undefined) {
        clearTimer(entry)
        refused.delete(entry.key)
      }
      if (isInDemand(entry)) background(entry)
    }
  }

  function close(): void {
    for (const entry of [...held.values(), ...refused.values()]) clearTimer(entry)
    held.clear()
    refused.clear()
  }
}

/** The failure as one more caller hears it: the same, but for the time until the next try. */
function again(error: BrokerError, retryAfterMs: number): BrokerError {
  return new BrokerError(error.code, error.message, {
    cause: error.cause,
    retryAfterMs: Math.max(0, retryAfterMs),
    ...(error.entra !== undefined && { entra: error.entra }),
  })
}

function newEntry(key: string, { identity, scope, claims, keepWarm }: TokenRequest): Entry {
  // Not how this caller wants the cache used: the entry serves all callers of its key.
  const request = { identity, scope, ...(claims !== undefined && { claims }) }
  return { key, request, nextTryAt: 0, askedAt: 0, renewedAt: 0, keepWarm: keepWarm === true }
}
