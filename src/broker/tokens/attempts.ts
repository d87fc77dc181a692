/**
 * The attempts of an exchange that callers wait for, so that a cold start survives a transient failure. The delays after a
 * failed exchange, of all attempts, are in `failure.ts`.
 */
import { type BrokerError, type ErrorCode, toBrokerError } from '../../lib/errors.ts'
import { isInGrace } from '../aadsts.ts'
import type { Clock } from './lifetime.ts'
import { type BackoffPolicy, jitterRetryAfter, maxBackoffMs } from './failure.ts'
import type { AccessToken, Attempt, TokenRequest, TokenSource } from './token.ts'

interface PoolOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** How long a caller waits, in milliseconds: the last attempt starts in time to end within it. */
  readonly timeoutMs: number
  /** Takes an extra attempt; returns false if none is left. */
  readonly budget: () => boolean
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
}

const MAX_ATTEMPTS = 3
/** Another attempt starts when Entra ID has been silent for this long after the POST of the last one. */
const SILENT_MS = 3000
/** The time that an attempt needs at least; one after a slow failure is expected to need as long as that. */
const MIN_ATTEMPT_MS = 500
/** The delay before another attempt: a random time between half of this and all of it. */
const BACKOFF: BackoffPolicy = { baseMs: 500, capMs: 1000 }

/**
 * Makes the attempts of each exchange: one, and up to two more. The next one starts after a failure that may pass within
 * seconds, or when the last one is silent, which goes on: the next one has another connection, since a connection has one
 * request at a time. The first token and the first permanent error end all of them, and so does the signal. Otherwise throws
 * the last error that is an answer; silence is reported only if there was no answer. An exchange in the background has one
 * attempt: the cache retries it, and no caller waits.
 */
export function poolAttempts(attempt: Attempt, options: PoolOptions): TokenSource {
  return (request, signal, onAnswer = () => {}) =>
    request.isBackground === true
      ? attempt(request, signal, () => {})
      : new Pool(attempt, { ...options, request, signal, onAnswer }).token
}

/** Extra attempts of the process in any minute: a fleet must not multiply the load of an outage. */
const MAX_EXTRA_ATTEMPTS_PER_MINUTE = 10

/** Creates the budget of a process: a function that takes an extra attempt, and returns false if none is left. */
export function createAttemptBudget(clock: Pick<Clock, 'monotonic'>): () => boolean {
  let spentAt: readonly number[] = []
  return () => {
    const now = clock.monotonic()
    spentAt = spentAt.filter((at) => at > now - 60_000)
    if (spentAt.length >= MAX_EXTRA_ATTEMPTS_PER_MINUTE) return false
    spentAt = [...spentAt, now]
    return true
  }
}

interface Running {
  readonly startedAt: number
  readonly abort: AbortController
}

interface PooledExchange extends PoolOptions {
  readonly request: TokenRequest
  readonly signal: AbortSignal
  readonly onAnswer: (error: BrokerError) => void
}

/** The attempts of one exchange. */
class Pool {
  readonly #attempt: Attempt
  readonly #exchange: PooledExchange
  readonly #startedAt: number
  readonly #outcome = Promise.withResolvers<AccessToken>()
  readonly #running = new Set<Running>()
  #count = 0
  #latest: Running | undefined
  #isSent = false
  #isOver = false
  #error: BrokerError | undefined
  /** Starts the next attempt: after the `silence` of the latest one since its POST, or some time after an `answer`. */
  #next: { readonly after: 'silence' | 'answer'; readonly timer: NodeJS.Timeout } | undefined

  constructor(attempt: Attempt, exchange: PooledExchange) {
    this.#attempt = attempt
    this.#exchange = exchange
    this.#startedAt = exchange.clock.monotonic()
    exchange.signal.addEventListener('abort', this.#endIfIdle)
    this.#start()
  }

  get token(): Promise<AccessToken> {
    return this.#outcome.promise
  }

  /** The milliseconds left for another attempt; 0 after the time limit of the exchange. */
  get #leftMs(): number {
    const { clock, timeoutMs, signal } = this.#exchange
    return signal.aborted ? 0 : timeoutMs - (clock.monotonic() - this.#startedAt)
  }

  #start(): void {
    this.#cancelNext()
    const { clock, request, signal } = this.#exchange
    const running = { startedAt: clock.monotonic(), abort: new AbortController() }
    this.#count += 1
    this.#latest = running
    this.#running.add(running)
    this.#attempt(request, AbortSignal.any([running.abort.signal, signal]), () => {
      this.#isSent = true
      if (running !== this.#latest || this.#next?.after === 'answer') return
      this.#startAfter('silence', SILENT_MS)
    }).then(
      (token) => this.#end(() => this.#outcome.resolve(token)),
      (thrown: unknown) => this.#onError(running, toBrokerError(thrown)),
    )
  }

  /** Starts the next attempt after the delay; after a silence only if it has the time, and the budget allows it. */
  #startAfter(after: 'silence' | 'answer', delayMs: number): void {
    this.#cancelNext()
    const start = () => {
      const isDue = after === 'answer' || (this.#leftMs >= MIN_ATTEMPT_MS && this.#mayStart())
      if (isDue) this.#start()
    }
    this.#next = { after, timer: setTimeout(start, delayMs) }
  }

  /** Takes another attempt from the budget. If nothing was sent, the next attempt is the first request. */
  #mayStart(): boolean {
    return this.#count < MAX_ATTEMPTS && (!this.#isSent || this.#exchange.budget())
  }

  #onError(failed: Running, error: BrokerError): void {
    this.#running.delete(failed)
    if (this.#isOver) return
    if (isAnswer(error)) {
      this.#error = error
      this.#exchange.onAnswer(error)
    }
    this.#error ??= error
    if (error.isPermanent) {
      this.#end(() => this.#outcome.reject(error))
      return
    }
    if (failed === this.#latest && this.#next?.after === 'silence') this.#cancelNext()
    // Otherwise the silence of the latest one decides when the next one starts.
    if (isAnswer(error) || failed === this.#latest) this.#retryAfter(failed, error)
    this.#endIfIdle()
  }

  #retryAfter({ startedAt }: Running, error: BrokerError): void {
    const { clock, random = Math.random } = this.#exchange
    const nextTakesMs = Math.max(clock.monotonic() - startedAt, MIN_ATTEMPT_MS)
    const delayMs = computeDelayMs(error, this.#count, this.#leftMs - nextTakesMs, random)
    const isPending = this.#next?.after === 'answer'
    if (delayMs !== undefined && !isPending && this.#mayStart()) this.#startAfter('answer', delayMs)
  }

  /** Ends the exchange with its error if no attempt runs or will start. */
  readonly #endIfIdle = (): void => {
    const willStart = this.#next?.after === 'answer' && !this.#exchange.signal.aborted
    if (this.#running.size > 0 || willStart) return
    this.#end(() => this.#outcome.reject(this.#error))
  }

  #end(settle: () => void): void {
    settle()
    this.#isOver = true
    this.#cancelNext()
    const { clock, signal } = this.#exchange
    signal.removeEventListener('abort', this.#endIfIdle)
    for (const { startedAt, abort } of this.#running) {
      const isSilent = clock.monotonic() - startedAt >= SILENT_MS
      const reason = isSilent && new DOMException('Another attempt has ended', 'TimeoutError')
      abort.abort(reason || undefined)
    }
  }

  #cancelNext(): void {
    clearTimeout(this.#next?.timer)
    this.#next = undefined
  }
}

/** Returns whether the error says more than that Entra ID was silent, or that it was not asked. */
function isAnswer({ code }: BrokerError): boolean {
  return code !== 'entra_timeout' && code !== 'overloaded'
}

const TRANSIENT_CODES: ReadonlySet<ErrorCode> = new Set([
  'entra_unavailable',
  'entra_unreachable',
  'entra_timeout',
  'entra_tls',
])

/**
 * Returns the delay before the next attempt in milliseconds, at most `leftMs`; undefined if the error is not worth one, or
 * if it would come too late. Another node of Entra ID may know a credential that is new (E8). A 429 without Retry-After is
 * not worth one: Entra ID usually requests 60 s (E5).
 */
function computeDelayMs(
  error: BrokerError,
  attempts: number,
  leftMs: number,
  random: () => number,
): number | undefined {
  const { code, retryAfterMs = 0 } = error
  const isShortThrottle = code === 'entra_throttled' && retryAfterMs > 0
  const isTransient = TRANSIENT_CODES.has(code) || isShortThrottle || isInGrace(error)
  if (!isTransient || retryAfterMs > leftMs) return undefined
  const delayMs = maxBackoffMs(BACKOFF, attempts) * (1 - random() / 2)
  return Math.min(leftMs, Math.max(delayMs, jitterRetryAfter(retryAfterMs, random)))
}
