/** The exchanges of the token cache: one at a time for each key, what its outcome changes, and when the next one is made. */
import { randomUUID } from 'node:crypto'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import type { Exchange, StartExchange } from './attempts.ts'
import { isRetried, mayRecoverWithNewAssertion } from './failure.ts'
import type { Entry, EntryStore } from './cache-entry.ts'
import type { Clock } from './lifetime.ts'
import { type AccessToken, isSameExchange, type TokenRequest } from './token.ts'

type Outcome =
  | { readonly ok: true; readonly token: AccessToken }
  | { readonly ok: false; readonly error: BrokerError }

/** The outcome of one exchange with Entra ID: of its last attempt. */
export interface ExchangeEvent {
  readonly request: TokenRequest
  /** The time from the first attempt to the end of the last one. */
  readonly durationMs: number
  readonly outcome: Outcome
  /** Time to live of the token that is cached without this exchange, in milliseconds; 0: none is. */
  readonly cachedTtlMs: number
}

export interface ExchangesOptions {
  readonly clock: Clock
  /** Called after each exchange, with all of its attempts. */
  readonly onExchange: (event: ExchangeEvent) => void
}

type StartOptions = Pick<TokenRequest, 'correlationId' | 'isBackground'>

/** Failing keys that are retried in the background at the same time; callers retry the others. */
const MAX_RETRYING = 16
/** Timers fire at least this often to read the clocks, since they stop while the machine sleeps. */
const MAX_TIMER_MS = 60_000

export class Exchanges {
  readonly #startExchange: StartExchange
  readonly #store: EntryStore
  readonly #options: ExchangesOptions
  readonly #running = new Map<string, Exchange>()
  /** The exchanges of identities that were replaced meanwhile, each with the one in its place. */
  readonly #repeated = new WeakMap<Exchange, Exchange>()

  constructor(startExchange: StartExchange, store: EntryStore, options: ExchangesOptions) {
    this.#startExchange = startExchange
    this.#store = store
    this.#options = options
  }

  find({ key }: Entry): Exchange | undefined {
    return this.#running.get(key)
  }

  /** Returns the running exchange of a key, or starts one (single flight), under a new correlation id unless one is given. */
  start(entry: Entry, { correlationId = randomUUID(), isBackground }: StartOptions): Exchange {
    const running = this.find(entry)
    if (running !== undefined) return running
    entry.clearTimer()
    const request = { ...entry.request, correlationId, isBackground: isBackground === true }
    const exchange = this.#startExchange(request)
    this.#running.set(entry.key, exchange)
    exchange.token.then(
      (token) => this.#onOutcome(entry, exchange, { ok: true, token }),
      (error: BrokerError) => this.#onOutcome(entry, exchange, { ok: false, error }),
    )
    return exchange
  }

  /**
   * Returns the token of an exchange to a caller, whose signal ends the waiting. Throws its error, with the time until the next
   * one.
   */
  async wait(entry: Entry, exchange: Exchange, signal: AbortSignal): Promise<AccessToken> {
    try {
      return await exchange.wait(signal)
    } catch (thrown) {
      const repeated = this.#repeated.get(exchange)
      if (repeated !== undefined) return this.wait(entry, repeated, signal)
      const error = toBrokerError(thrown)
      const { failure } = this.#findSuccessor(entry)
      throw failure?.error === error ? error.with({ retryAfterMs: failure.ttlMs }) : error
    }
  }

  /**
   * Starts the refresh, or the retry after a failure, unless it is running. It runs in the background, except if the token
   * expired while the machine slept or the process stood still: then callers wait for it.
   */
  refresh(entry: Entry): void {
    this.start(entry, { isBackground: entry.ttlMs > 0 || entry.failure?.isStale === false })
  }

  /** Reports an exchange and records its outcome. If it failed and its identity was replaced meanwhile, makes another. */
  #onOutcome(entry: Entry, exchange: Exchange, outcome: Outcome): void {
    const { clock, onExchange } = this.#options
    const { request, startedAt } = exchange
    const current = this.#findSuccessor(entry)
    this.#running.delete(entry.key)
    const durationMs = clock.monotonic() - startedAt
    onExchange({ request, durationMs, outcome, cachedTtlMs: current.ttlMs })
    if (outcome.ok) {
      current.succeed(outcome.token)
      this.schedule(current)
    } else if (isOutdated(exchange, current, outcome.error)) {
      const { isBackground } = exchange
      const { correlationId } = request
      this.#repeated.set(exchange, this.start(current, { correlationId, isBackground }))
    } else {
      this.#fail(current, outcome.error, !exchange.isBackground)
    }
  }

  /** Returns the entry that the key has now: another one if this one was evicted and the key requested again. */
  #findSuccessor(entry: Entry): Entry {
    return this.#store.peek(entry.key) ?? entry
  }

  /** Records a failure. */
  #fail(entry: Entry, error: BrokerError, wasAwaited: boolean): void {
    if (error.code === 'overloaded' && entry.ttlMs === 0 && !entry.isPrefetched) {
      // This failure is not cached: the key is fine, and gets a token as soon as there is capacity.
      if (entry.isEmpty) this.#store.remove(entry)
      return
    }
    entry.fail(error, wasAwaited)
    this.schedule(entry)
  }

  /** Retries at once what may have failed because of an assertion that has been replaced. A running exchange goes on. */
  retryOutdated(entry: Entry): void {
    const { failure } = entry
    if (this.find(entry) !== undefined || failure === undefined) return
    if (!mayRecoverWithNewAssertion(failure.error)) return
    const willRetry = entry.timer !== undefined && entry.isInUse()
    failure.endBackoff()
    if (entry.ttlMs > 0) this.schedule(entry)
    // Callers without a token wait for it: the cached failure may be over.
    else if (willRetry) this.start(entry, {})
    else entry.clearTimer()
  }

  /** Sets the timer for the next refresh or retry, unless it is left to the next caller. */
  schedule(entry: Entry): void {
    entry.clearTimer()
    // Removed while its exchange ran.
    if (this.#store.peek(entry.key) !== entry) return
    if (entry.ttlMs === 0 && !entry.isPrefetched) {
      if (entry.failure !== undefined && !isRetried(entry.failure.error)) return
      if (this.#countRetrying() >= MAX_RETRYING) return
    }
    this.#setTimer(entry, entry.msUntilDue)
  }

  #countRetrying(): number {
    return this.#store
      .all()
      .filter((entry) => entry.timer !== undefined && entry.ttlMs === 0 && !entry.isPrefetched)
      .length
  }

  #setTimer(entry: Entry, ms: number): void {
    // Node warns of a negative delay.
    const delayMs = Math.max(0, Math.min(ms, MAX_TIMER_MS))
    entry.timer = setTimeout(() => this.#onTimer(entry), delayMs).unref()
  }

  /** Refreshes or retries a token that is due and in use. A token that is not in use stays until it expires. */
  #onTimer(entry: Entry): void {
    entry.clearTimer()
    const { ttlMs: ttl } = entry
    if (entry.msUntilDue > 0) this.schedule(entry)
    else if (entry.isInUse()) this.refresh(entry)
    else if (ttl > 0) this.#setTimer(entry, ttl)
    else if (entry.failure === undefined) this.#store.remove(entry)
  }
}

/** Returns whether an exchange may have failed because of how the identity was exchanged, which was changed meanwhile. */
function isOutdated({ request }: Exchange, current: Entry, error: BrokerError): boolean {
  return (
    !isSameExchange(request.identity, current.request.identity) && mayRecoverWithNewAssertion(error)
  )
}
