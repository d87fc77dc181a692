/** The exchanges of the token cache: one at a time for each key, what its outcome changes, and when the next one is made. */
import { randomUUID } from 'node:crypto'
import type { BrokerError } from '../../lib/errors.ts'
import type { Exchange, StartExchange } from './attempts.ts'
import { isRetried, mayRecoverWithNewAssertion } from './failure.ts'
import type { Entry, EntryStore } from './cache-entry.ts'
import type { Clock } from './lifetime.ts'
import type { AccessToken, TokenRequest } from './token.ts'

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
  /** WIMDS_EXCHANGE_TIMEOUT in milliseconds: how long a caller waits, and an exchange in the background takes at most. */
  readonly timeoutMs: number
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

  constructor(startExchange: StartExchange, store: EntryStore, options: ExchangesOptions) {
    this.#startExchange = startExchange
    this.#store = store
    this.#options = options
  }

  /** Returns the running exchange of a key, or starts one (single flight), under a new correlation id unless one is given. */
  start(entry: Entry, { correlationId = randomUUID(), isBackground }: StartOptions): Exchange {
    if (entry.exchange !== undefined) return entry.exchange
    entry.clearTimer()
    const request = { ...entry.request, correlationId, isBackground: isBackground === true }
    const exchange = this.#startExchange(request)
    entry.exchange = exchange
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
    entry.wasAwaited = true
    try {
      return await exchange.wait(signal)
    } catch (error) {
      const { failure } = entry
      if (failure === undefined || failure.error !== error) throw error
      throw failure.error.with({ retryAfterMs: failure.retryAfterMs })
    }
  }

  /**
   * Makes the refresh, or the retry after a failure, in the background, unless it is running. Callers that have waited for a
   * failed exchange get its failure meanwhile.
   */
  refresh(entry: Entry): Exchange {
    if (entry.wasAwaited) entry.failure?.outlastRetry(this.#options.timeoutMs)
    return this.start(entry, { isBackground: true })
  }

  /** Reports an exchange, and records its outcome unless the key is exchanged in another way by now. */
  #onOutcome(entry: Entry, exchange: Exchange, outcome: Outcome): void {
    const { clock, onExchange } = this.#options
    const { request, startedAt } = exchange
    const durationMs = clock.monotonic() - startedAt
    onExchange({ request, durationMs, outcome, cachedTtlMs: entry.ttlMs })
    if (entry.exchange !== exchange) return
    entry.exchange = undefined
    if (outcome.ok) {
      entry.succeed(outcome.token)
      this.schedule(entry)
    } else {
      this.#fail(entry, outcome.error)
    }
    this.#store.evict()
  }

  /** Records a failure. */
  #fail(entry: Entry, error: BrokerError): void {
    if (error.code === 'overloaded' && entry.ttlMs === 0 && !entry.isPrefetched) {
      // This failure is not cached: the key is fine, and gets a token as soon as there is capacity.
      if (entry.isEmpty) this.#store.remove(entry)
      entry.endBackoff()
      return
    }
    entry.fail(error)
    this.schedule(entry)
  }

  /** Retries at once what may have failed because of an assertion that has been replaced. A running exchange goes on. */
  retryOutdated(entry: Entry): void {
    if (entry.exchange === undefined && isOutdated(entry)) this.exchangeAnew(entry)
  }

  /** Exchanges a key in the way that its identity says now. A running exchange goes on, for only its own callers. */
  exchangeAnew(entry: Entry): void {
    entry.exchange = undefined
    if (isOutdated(entry)) entry.endBackoff()
    this.schedule(entry)
  }

  /** Sets the timer for the next refresh or retry, unless it is left to the next caller. */
  schedule(entry: Entry): void {
    entry.clearTimer()
    // Removed while its exchange ran.
    if (!this.#store.has(entry)) return
    if (entry.ttlMs === 0 && !entry.isPrefetched) {
      if (entry.failure !== undefined && !isRetried(entry.failure.error)) return
      if (this.#countRetrying() >= MAX_RETRYING) return
    }
    // Node warns of a negative delay.
    const delayMs = Math.max(0, Math.min(entry.msUntilDue, MAX_TIMER_MS))
    entry.timer = setTimeout(() => this.#onTimer(entry), delayMs).unref()
  }

  #countRetrying(): number {
    return this.#store
      .all()
      .filter((entry) => entry.timer !== undefined && entry.ttlMs === 0 && !entry.isPrefetched)
      .length
  }

  /** Refreshes or retries a token that is due and in use. One that is not in use stays without a timer. */
  #onTimer(entry: Entry): void {
    entry.clearTimer()
    if (entry.msUntilDue > 0) this.schedule(entry)
    else if (entry.isInUse()) this.refresh(entry)
  }
}

/** Returns whether the last exchange may have failed because of its assertion. */
function isOutdated({ failure }: Entry): boolean {
  return failure !== undefined && mayRecoverWithNewAssertion(failure.error)
}
