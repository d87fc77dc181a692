/** The exchanges of the token cache: one at a time for each key. Records each outcome, and schedules the next exchange. */
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

/** The outcome of one exchange with Entra ID, which is the outcome of its last attempt. */
export interface ExchangeEvent {
  readonly request: TokenRequest
  /** The time from the first attempt to the end of the last one. */
  readonly durationMs: number
  readonly outcome: Outcome
  /** Time to live in milliseconds of the token that was cached until this exchange ended; 0 if none was. */
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
/** Timers stop while the machine sleeps, so they fire at least this often to read the clocks. */
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

  /** Returns the token of an exchange to a caller, who waits until the signal aborts. Adds `retryAfterMs` to an error. */
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
   * Starts a refresh, or a retry after a failure, in the background, unless an exchange is running. If a caller has waited for
   * the failed exchange, its failure stays cached during the retry.
   */
  refresh(entry: Entry): Exchange {
    if (entry.wasAwaited) entry.failure?.outlastRetry(this.#options.timeoutMs)
    return this.start(entry, { isBackground: true })
  }

  /** Reports an exchange. Records its outcome, unless a reload has changed how the key is exchanged. */
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

  /** Retries a key at once if its last exchange may have failed because of its old assertion. A running exchange goes on. */
  retryOutdated(entry: Entry): void {
    if (entry.exchange === undefined && isOutdated(entry)) this.restart(entry)
  }

  /** Starts over with a key. A running exchange goes on, but its outcome reaches only its own callers. */
  restart(entry: Entry): void {
    entry.exchange = undefined
    if (isOutdated(entry)) entry.endBackoff()
    this.schedule(entry)
  }

  /** Sets the timer of the next refresh or retry, unless the next caller is to make it. */
  schedule(entry: Entry): void {
    entry.clearTimer()
    // The entry was removed while its exchange ran.
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

  /**
   * Refreshes or retries a token that is due and in use. A token that is not in use gets no timer until a caller requests it.
   */
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
