/** The exchanges of the token cache: one at a time for each key, what its outcome changes, and when the next one is made. */
import { randomUUID } from 'node:crypto'
import type { BrokerError } from '../../lib/errors.ts'
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
  readonly #running = new Map<string, Exchange>()

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
    this.#findSuccessor(entry).wasAwaited = true
    try {
      return await exchange.wait(signal)
    } catch (error) {
      // Another one follows if the identity was replaced meanwhile.
      const repeated = this.find(entry)
      if (repeated !== undefined && repeated !== exchange) return this.wait(entry, repeated, signal)
      const { failure } = this.#findSuccessor(entry)
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
      this.start(current, { correlationId: request.correlationId, isBackground: true })
    } else {
      this.#fail(current, outcome.error)
    }
  }

  /** Returns the entry that the key has now: another one if this one was evicted and the key requested again. */
  #findSuccessor(entry: Entry): Entry {
    return this.#store.peek(entry.key) ?? entry
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
    const { failure } = entry
    if (this.find(entry) !== undefined || failure === undefined) return
    if (!mayRecoverWithNewAssertion(failure.error)) return
    entry.endBackoff()
    this.schedule(entry)
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

/** Returns whether an exchange may have failed because of how the identity was exchanged, which was changed meanwhile. */
function isOutdated({ request }: Exchange, current: Entry, error: BrokerError): boolean {
  return (
    !isSameExchange(request.identity, current.request.identity) && mayRecoverWithNewAssertion(error)
  )
}
