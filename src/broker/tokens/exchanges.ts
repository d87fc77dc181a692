/**
 * The exchanges of the token cache: one at a time for each key, its time limits, what its outcome changes, and when the
 * next one is made.
 */
import { randomUUID } from 'node:crypto'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import { untilAborted, withDeadline } from '../../lib/deadline.ts'
import { createTimeoutError } from './caller-wait.ts'
import { isRetried, mayRecoverWithNewAssertion } from './failure.ts'
import type { Entry, EntryStore } from './cache-entry.ts'
import { type Clock, MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { type AccessToken, isSameExchange, type TokenRequest, type TokenSource } from './token.ts'

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
  /**
   * WIMDS_EXCHANGE_TIMEOUT in milliseconds. Callers wait this long; then their exchange goes on in the background for as
   * long again, so that a late token is cached for the next callers. An exchange in the background has it once.
   */
  readonly timeoutMs: number
  readonly clock: Clock
  /** Called after each exchange, with all of its attempts. */
  readonly onExchange: (event: ExchangeEvent) => void
}

interface Flight {
  readonly token: Promise<AccessToken>
  /** On the monotonic clock. */
  readonly startedAt: number
  /** See `TokenRequest.isBackground`. True also after the time limit of the callers, when its failure is cached. */
  isBackground: boolean
}

type StartOptions = Pick<TokenRequest, 'correlationId' | 'isBackground'>

/** What Entra ID has answered so far to an exchange that goes on. */
interface Answer {
  error?: BrokerError
}

/** Failing keys that are retried in the background at the same time; callers retry the others. */
const MAX_RETRYING = 16
/** Timers fire at least this often to read the clocks, since they stop while the machine sleeps. */
const MAX_TIMER_MS = 60_000

export class Exchanges {
  readonly #source: TokenSource
  readonly #store: EntryStore
  readonly #options: ExchangesOptions
  readonly #flights = new Map<string, Flight>()

  constructor(source: TokenSource, store: EntryStore, options: ExchangesOptions) {
    this.#source = source
    this.#store = store
    this.#options = options
  }

  find({ key }: Entry): Flight | undefined {
    return this.#flights.get(key)
  }

  /** Returns the running exchange of a key, or starts one (single flight), under a new correlation id unless one is given. */
  start(entry: Entry, options: StartOptions): Flight {
    const running = this.find(entry)
    if (running !== undefined) return running
    entry.clearTimer()
    const startedAt = this.#options.clock.monotonic()
    const { isBackground = false, correlationId = randomUUID() } = options
    const answer: Answer = {}
    const outcome = this.#run(entry, { ...options, correlationId }, answer)
    const token = isBackground ? outcome : this.#limitWait(entry, outcome, answer)
    const flight = { token, startedAt, isBackground }
    this.#flights.set(entry.key, flight)
    return flight
  }

  /**
   * Starts the refresh, or the retry after a failure, unless it is running. It runs in the background, except if the token
   * expired while the machine slept or the process stood still: then callers wait for it. Its failure is recorded in the entry.
   */
  refresh(entry: Entry): void {
    if (this.find(entry) !== undefined) return
    const isBackground = entry.ttlMs > 0 || entry.failure?.isStale === false
    this.start(entry, { isBackground }).token.catch(() => {})
  }

  /**
   * Throws what Entra ID has answered until a caller's time limit, or else `entra_timeout`. From then on the exchange runs
   * in the background.
   */
  async #limitWait(
    entry: Entry,
    outcome: Promise<AccessToken>,
    answer: Answer,
  ): Promise<AccessToken> {
    const { timeoutMs } = this.#options
    try {
      return await withDeadline(timeoutMs, (signal) => untilAborted(outcome, signal))
    } catch (error) {
      const flight = this.find(entry)
      if (error instanceof BrokerError || flight === undefined) return await outcome
      flight.isBackground = true
      throw this.#fail(this.#findSuccessor(entry), answer.error ?? createTimeoutError(timeoutMs))
    }
  }

  /** Makes an exchange and records its outcome. If it fails and its identity was replaced meanwhile, makes another. */
  async #run(entry: Entry, options: StartOptions, answer: Answer): Promise<AccessToken> {
    const { request } = entry
    let token: AccessToken
    try {
      token = await this.#exchange(entry, { ...request, ...options }, answer)
      this.#requireUnexpired(token)
    } catch (thrown) {
      const error = toBrokerError(thrown)
      const successor = this.#findSuccessor(entry)
      const isReplaced = !isSameExchange(request.identity, successor.request.identity)
      if (isReplaced && mayRecoverWithNewAssertion(error))
        return this.#run(successor, options, answer)
      const isLate = this.find(entry)?.isBackground === true && options.isBackground !== true
      this.#flights.delete(entry.key)
      throw this.#fail(successor, error, isLate)
    }
    this.#flights.delete(entry.key)
    const current = this.#findSuccessor(entry)
    current.succeed(token)
    this.schedule(current)
    return token
  }

  /** Makes an exchange and reports it. The signal of its time limit ends it. */
  async #exchange(entry: Entry, request: TokenRequest, answer: Answer): Promise<AccessToken> {
    const { clock, timeoutMs, onExchange } = this.#options
    const startedAt = clock.monotonic()
    const onAnswer = (error: BrokerError) => void (answer.error = error)
    const limitMs = request.isBackground === true ? timeoutMs : 2 * timeoutMs
    const outcome = await withDeadline(limitMs, (signal) =>
      this.#source(request, signal, onAnswer),
    ).then(
      (token): Outcome => ({ ok: true, token }),
      (thrown: unknown): Outcome => ({ ok: false, error: toBrokerError(thrown) }),
    )
    const durationMs = clock.monotonic() - startedAt
    const { ttlMs: cachedTtlMs } = this.#findSuccessor(entry)
    onExchange({ request, durationMs, outcome, cachedTtlMs })
    if (!outcome.ok) throw outcome.error
    return outcome.token
  }

  /** Returns the entry that the key has now: another one if this one was evicted and the key requested again. */
  #findSuccessor(entry: Entry): Entry {
    return this.#store.peek(entry.key) ?? entry
  }

  /** Throws if the exchange took longer than the token lives. */
  #requireUnexpired(token: AccessToken): void {
    if (ttlMs(token.lifetime, this.#options.clock) >= MIN_TTL_MS) return
    throw new BrokerError(
      'entra_bad_response',
      'the access token had expired when it arrived',
      'check its lifetime, and how long exchanges take',
    )
  }

  /** Records a failure, and returns the error for the callers that wait; `isLate`: these have an error already. */
  #fail(entry: Entry, error: BrokerError, isLate = false): BrokerError {
    if (error.code === 'overloaded' && entry.ttlMs === 0 && !entry.isPrefetched) {
      // This failure is not cached: the key is fine, and gets a token as soon as there is capacity.
      if (entry.isEmpty) this.#store.remove(entry)
      return error
    }
    const failure = entry.fail(error, isLate)
    this.schedule(entry)
    return error.with({ retryAfterMs: failure.ttlMs })
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
    else if (willRetry) this.start(entry, {}).token.catch(() => {})
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
