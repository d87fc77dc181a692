/** The exchanges of the cache's entries, and when they are made ahead of need. */
import { BrokerError, toBrokerError } from '../errors.ts'
import { isMendedByAssertion, refusedProbeMs, retryDelayMs } from './backoff.ts'
import type { Clock } from './clock.ts'
import { again, type Entry, isWanted, shared, untilDueMs } from './entry.ts'
import { LEAST_LIFE_MS, remainingMs, renewalDelayMs } from './lifetime.ts'
import { type EntryStore, entryStore } from './store.ts'
import { timers } from './timers.ts'
import { type AccessToken, cacheKey, type TokenRequest, type TokenSource } from './token.ts'

/** A renewal that failed while its token was held: nobody has noticed yet. */
export interface RenewalFailure {
  readonly request: TokenRequest
  /** If it is permanent, only an operator can keep the token from running out. */
  readonly error: BrokerError
  /** What is left of the held token's life, in milliseconds. */
  readonly leftMs: number
}

interface FlightOptions {
  readonly obtain: TokenSource
  readonly renew: TokenSource
  readonly max: number
  readonly clock: Clock
  readonly random: () => number
  /** Told of each exchange that succeeded while no caller waited for it. */
  readonly onRefreshed: () => void
  readonly onRenewalFailed: (failure: RenewalFailure) => void
}

interface Flights {
  readonly store: EntryStore
  /** The exchange of this entry: the one under way, or a new one, with its caller's correlation id. */
  readonly fly: (entry: Entry, correlationId?: string) => Promise<AccessToken>
  /** The same for nobody in particular: its failure is kept in the entry. */
  readonly flyInBackground: (entry: Entry) => void
  /** From now on the entry is renewed, and tried again after a failure, whether callers come or not. */
  readonly keepWarm: (entry: Entry) => void
  readonly assertionChanged: (tokenFile: string) => void
  readonly adopt: (meaning: (request: TokenRequest) => TokenRequest | undefined) => void
  readonly close: () => void
}

/** Failures are in a row if no try was due for this long that nobody made: that was another outage. */
const ROW_MS = 10 * 60_000

/** Flies at most one exchange per entry, and keeps the outcome in the entry. */
export function flights(options: FlightOptions): Flights {
  const { obtain, renew, max, clock, random, onRefreshed, onRenewalFailed } = options
  const alarms = timers(clock, wake)
  const { arm, disarm } = alarms
  const store = entryStore(max, disarm)

  return { store, fly, flyInBackground, keepWarm, assertionChanged, adopt, close }

  function fly(entry: Entry, correlationId?: string): Promise<AccessToken> {
    if (entry.flight !== undefined) return entry.flight
    disarm(entry)
    const startedAt = clock.monotonic()
    const source = entry.token === undefined ? obtain : renew
    entry.isOvertaken = false
    const request = { ...entry.request, ...(correlationId !== undefined && { correlationId }) }
    entry.flight = source(request).then(
      (token) => landed(entry, token, startedAt),
      (thrown: unknown) => failed(entry, toBrokerError(thrown)),
    )
    store.put(entry)
    return entry.flight
  }

  function flyInBackground(entry: Entry): void {
    fly(entry).then(onRefreshed, () => {})
  }

  function landed(entry: Entry, token: AccessToken, startedAt: number): AccessToken {
    const leftMs = remainingMs(token, clock)
    if (leftMs < LEAST_LIFE_MS) return failed(entry, expiredOnArrival())
    const tookMs = token.lifetimeMs - leftMs
    const delayMs = renewalDelayMs(token, tookMs, random)
    delete entry.flight
    delete entry.failure
    entry.token = token
    entry.renewedAt = startedAt
    entry.renewAtMs = token.lifetimeMs - delayMs
    entry.nextTryAt = clock.monotonic() + delayMs - tookMs
    store.put(entry)
    arm(entry, delayMs - tookMs)
    return token
  }

  function failed(entry: Entry, error: BrokerError): never {
    delete entry.flight
    const heldMs = heldMsOf(entry)
    if (heldMs === 0) delete entry.token
    else if (!entry.isLetGo) {
      onRenewalFailed({ request: entry.request, error, leftMs: heldMs })
    }
    // Nothing is wrong with this key: remembering that there was no room would keep it out.
    if (error.code === 'overloaded' && entry.token === undefined && !entry.keepWarm) {
      if (entry.failure === undefined) store.forget(entry)
      else store.put(entry)
      throw error
    }
    const isOfNow = clock.monotonic() - entry.nextTryAt < ROW_MS
    const count = (isOfNow ? (entry.failure?.count ?? 0) : 0) + 1
    entry.failure = { error, count }
    const isOutdated = entry.isOvertaken && isMendedByAssertion(error)
    const delayMs = isOutdated ? 0 : retryDelayMs(error, { failures: count, heldMs }, random)
    entry.nextTryAt = clock.monotonic() + delayMs
    store.put(entry)
    const isProbedSlowly = error.isPermanent && entry.token === undefined && !isOutdated
    arm(entry, isProbedSlowly ? Math.max(delayMs, refusedProbeMs(count, random)) : delayMs)
    throw again(error, delayMs)
  }

  function wake(entry: Entry): void {
    disarm(entry)
    const now = clock.monotonic()
    const isStillWanted = isWanted(entry, now)
    const leftMs = heldMsOf(entry)
    if (leftMs === 0) delete entry.token
    const isRetry = entry.failure !== undefined
    const waitMs = isRetry ? entry.wakeAt - now : untilDueMs(entry, leftMs, now)
    if (waitMs > 0) arm(entry, waitMs)
    else if (isStillWanted) flyInBackground(entry)
    // A token that nobody asks for is let go when its life ends.
    else if (leftMs > 0) arm(entry, leftMs)
    else store.put(entry)
  }

  function heldMsOf({ token }: Entry): number {
    const leftMs = token === undefined ? 0 : remainingMs(token, clock)
    return leftMs < LEAST_LIFE_MS ? 0 : leftMs
  }

  /** Forgets what a new projected token may mend, and tries again where somebody waits for it. */
  function assertionChanged(tokenFile: string): void {
    for (const entry of store.all()) {
      if (entry.request.identity.tokenFile !== tokenFile) continue
      if (entry.flight !== undefined) entry.isOvertaken = true
      else if (entry.failure !== undefined && isMendedByAssertion(entry.failure.error)) {
        entry.nextTryAt = clock.monotonic()
        if (entry.token === undefined) tryAfresh(entry)
        else arm(entry, 0)
      }
    }
  }

  /** Callers who come now wait for the try: what they would hear is no longer true. */
  function tryAfresh(entry: Entry): void {
    const isTried = entry.timer !== undefined && isWanted(entry, clock.monotonic())
    disarm(entry)
    delete entry.failure
    if (isTried) flyInBackground(entry)
    else store.put(entry)
  }

  function keepWarm(entry: Entry): void {
    entry.keepWarm = true
    store.put(entry)
    const isLeftToCallers = entry.failure !== undefined && entry.flight === undefined
    if (isLeftToCallers && entry.timer === undefined) {
      arm(entry, Math.max(0, entry.nextTryAt - clock.monotonic()))
    }
  }

  function adopt(meaning: (request: TokenRequest) => TokenRequest | undefined): void {
    // What was asked for last is put back last, so that the order of use stays.
    for (const entry of store.all().toReversed()) {
      const next = meaning(entry.request)
      entry.isLetGo = next === undefined || cacheKey(next) !== entry.key
      entry.keepWarm &&= next?.keepWarm === true
      if (next !== undefined) entry.request = shared(next)
      if (entry.isLetGo) disarm(entry)
      store.put(entry)
    }
  }

  function close(): void {
    alarms.close()
    for (const entry of store.all()) disarm(entry)
    store.clear()
  }
}

function expiredOnArrival(): BrokerError {
  return new BrokerError(
    'entra_bad_response',
    'the access token had no life left when it arrived: check how long it lives, and how long the exchange takes',
  )
}
