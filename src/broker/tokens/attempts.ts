/**
 * One exchange of a key: its attempts and time limits. While callers wait it makes further attempts, so that a cold start
 * survives a transient failure or a silent Entra ID. The delays after a failed exchange are in `failure.ts`.
 */
import { ConnectError } from '../../lib/connect-error.ts'
import { isTimeoutError, untilAborted } from '../../lib/deadline.ts'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import { createTimeoutError } from './caller-wait.ts'
import { type Clock, MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { computeDelayMs, isAnswer, MAX_RETRIES, rank } from './retries.ts'
import type { AccessToken, Attempt, TokenRequest } from './token.ts'

export interface AttemptsOptions {
  readonly clock: Clock
  /** WIMDS_EXCHANGE_TIMEOUT in milliseconds: how long a caller waits. An exchange for callers may take twice as long. */
  readonly timeoutMs: number
  /** Takes one retry from the budget of the process; returns false if none is left. */
  readonly budget: () => boolean
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
}

/** Starts an exchange. */
export type StartExchange = (request: TokenRequest) => Exchange

/** Another attempt starts when Entra ID has been silent for this long after the last POST. */
const SILENT_MS = 2000
/** Attempts of an exchange that run at once: the first one, since Entra ID may be slow, and the latest ones. */
const MAX_RUNNING = 3
/** The shortest time that an attempt needs. After a slow failure, the next attempt is expected to need as long. */
const MIN_ATTEMPT_MS = 500

interface Running {
  readonly startedAt: number
  readonly abort: AbortController
}

/**
 * An exchange, whose first attempt starts at once. In the background it has only this attempt, since the cache repeats the
 * exchange. While callers wait, another attempt starts after a failure that may pass within seconds. If Entra ID is silent,
 * another attempt starts beside the running ones, on another connection, since a connection has one request at a time. The
 * first token or the first permanent error ends all attempts.
 */
export class Exchange {
  readonly request: TokenRequest
  /** On the monotonic clock. */
  readonly startedAt: number
  readonly #attempt: Attempt
  readonly #options: AttemptsOptions
  readonly #outcome = Promise.withResolvers<AccessToken>()
  #limit: NodeJS.Timeout | undefined
  /** When the time of the last caller ends; undefined in the background. */
  #awaitedUntil: number | undefined
  /** The running attempts, in the order of their start. */
  readonly #running = new Set<Running>()
  #latest: Running | undefined
  #retries = 0
  /** The time of the last POST; undefined before the first one. */
  #sentAt: number | undefined
  #error: BrokerError | undefined
  /** The timer of the next attempt: for Entra ID's `silence` since the last POST, or as a retry after an `answer`. */
  #next: { readonly after: 'silence' | 'answer'; readonly timer: NodeJS.Timeout } | undefined

  constructor(attempt: Attempt, request: TokenRequest, options: AttemptsOptions) {
    this.#attempt = attempt
    this.request = request
    this.#options = options
    this.startedAt = options.clock.monotonic()
    if (request.isBackground !== true) this.#awaitedUntil = this.startedAt + options.timeoutMs
    this.#setLimit()
    this.#start()
  }

  /** Rejects with the last answer, else with `entra_timeout`; with `overloaded` only if no attempt got a permit. */
  get token(): Promise<AccessToken> {
    return this.#outcome.promise
  }

  /**
   * Returns the token to a caller. When the signal aborts with a `TimeoutError`, throws the last answer of Entra ID and ends
   * the exchange. Without an answer it throws `entra_timeout`, and the exchange goes on, since its token may come late. If the
   * signal aborts for another reason, it throws that reason, and the exchange goes on.
   */
  async wait(signal: AbortSignal): Promise<AccessToken> {
    const { timeoutMs } = this.#options
    const wasBackground = this.#isBackground
    this.#awaitedUntil = this.#now + timeoutMs
    // No attempt runs if the exchange has ended.
    if (wasBackground && this.#running.size > 0) this.#setLimit()
    this.#startAfterSilence()
    try {
      return await untilAborted(this.token, signal)
    } catch (error) {
      if (!isTimeoutError(error)) throw error
      const answer = this.#error
      if (answer === undefined || !isAnswer(answer)) {
        // This error says which addresses of the login host were silent.
        throw answer?.cause instanceof ConnectError ? answer : createTimeoutError(timeoutMs)
      }
      this.#end(() => this.#outcome.reject(answer))
      throw answer
    }
  }

  /** True until a caller waits for the exchange. Until then callers get the cached token or the cached failure. */
  get #isBackground(): boolean {
    return this.#awaitedUntil === undefined
  }

  get #now(): number {
    return this.#options.clock.monotonic()
  }

  /** The milliseconds that callers still wait, within the time limit of the exchange. */
  get #leftMs(): number {
    const { timeoutMs } = this.#options
    const until = Math.min(this.#awaitedUntil ?? -Infinity, this.startedAt + 2 * timeoutMs)
    return until - this.#now
  }

  #setLimit(): void {
    const limitMs = (this.#isBackground ? 1 : 2) * this.#options.timeoutMs
    const end = () => {
      this.#cancelNext()
      for (const running of this.#running) abortSilent(running)
      this.#endIfIdle()
    }
    clearTimeout(this.#limit)
    this.#limit = setTimeout(end, this.startedAt + limitMs - this.#now)
  }

  #start(): void {
    this.#cancelNext()
    if (this.#running.size >= MAX_RUNNING) abortSilent([...this.#running][1])
    const running = { startedAt: this.#now, abort: new AbortController() }
    this.#latest = running
    this.#running.add(running)
    const request = { ...this.request, isBackground: this.#isBackground }
    const onSent = () => {
      this.#sentAt = this.#now
      if (this.#next?.after === 'silence') this.#cancelNext()
      this.#startAfterSilence()
    }
    this.#attempt(request, running.abort.signal, onSent).then(
      (token) => this.#onToken(running, token),
      (thrown: unknown) => this.#onError(running, toBrokerError(thrown)),
    )
  }

  /** Schedules another attempt in case Entra ID stays silent, unless one is scheduled. It starts if callers still wait. */
  #startAfterSilence(leastMs = 0): void {
    if (this.#next !== undefined || this.#sentAt === undefined || this.#running.size === 0) return
    this.#startAfter('silence', Math.max(leastMs, this.#sentAt + SILENT_MS - this.#now))
  }

  #startAfter(after: 'silence' | 'answer', delayMs: number): void {
    this.#cancelNext()
    const start = () => {
      this.#next = undefined
      if (after === 'answer' || this.#leftMs >= MIN_ATTEMPT_MS) this.#start()
    }
    this.#next = { after, timer: setTimeout(start, delayMs) }
  }

  #onToken(from: Running, token: AccessToken): void {
    if (ttlMs(token.lifetime, this.#options.clock) >= MIN_TTL_MS) {
      this.#end(() => this.#outcome.resolve(token))
      return
    }
    const error = new BrokerError(
      'entra_bad_response',
      'the access token had expired when it arrived',
      'check its lifetime, and how long exchanges take',
    )
    this.#onError(from, error)
  }

  #onError(failed: Running, error: BrokerError): void {
    // The exchange has ended.
    if (!this.#running.delete(failed)) return
    const isNews = this.#error === undefined || rank(error) > rank(this.#error)
    if (isNews || isAnswer(error)) this.#error = error
    if (error.isPermanent) {
      this.#end(() => this.#outcome.reject(error))
      return
    }
    if (failed === this.#latest && this.#next?.after === 'silence') this.#cancelNext()
    // After another failure, the silence of the latest attempt decides when the next one starts.
    if (isAnswer(error) || failed === this.#latest) this.#retryAfter(failed, error)
    // The attempt got no permit.
    if (error.code === 'overloaded') this.#startAfterSilence(SILENT_MS)
    this.#endIfIdle()
  }

  /** Retries if the failure may pass. If nothing was sent, the retry is the first request, and takes nothing from the budget. */
  #retryAfter({ startedAt }: Running, error: BrokerError): void {
    const { budget, random = Math.random } = this.#options
    if (this.#retries >= MAX_RETRIES || this.#next?.after === 'answer') return
    const nextTakesMs = Math.max(this.#now - startedAt, MIN_ATTEMPT_MS)
    const leftMs = this.#leftMs - nextTakesMs
    const delayMs = computeDelayMs(error, this.#retries + 1, leftMs, random)
    if (delayMs === undefined || (this.#sentAt !== undefined && !budget())) return
    this.#retries += 1
    this.#startAfter('answer', delayMs)
  }

  /** Ends the exchange with its error if no attempt runs or will start. */
  #endIfIdle(): void {
    if (this.#running.size > 0 || this.#next?.after === 'answer') return
    this.#end(() => this.#outcome.reject(this.#error))
  }

  #end(settle: () => void): void {
    settle()
    clearTimeout(this.#limit)
    this.#cancelNext()
    for (const running of this.#running) {
      if (this.#now - running.startedAt >= SILENT_MS) abortSilent(running)
      else running.abort.abort()
    }
    this.#running.clear()
  }

  #cancelNext(): void {
    clearTimeout(this.#next?.timer)
    this.#next = undefined
  }
}

/** Aborts an attempt that Entra ID has not answered. It counts as `entra_timeout`. */
function abortSilent(running: Running | undefined): void {
  running?.abort.abort(new DOMException('Another attempt has replaced it', 'TimeoutError'))
}
