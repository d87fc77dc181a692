/** The layers between the token cache and the exchange: limit → report → lazy loading → retries. */
import { randomUUID } from 'node:crypto'
import { startDeadline } from '../../lib/deadline.ts'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'
import type { Clock } from './clock.ts'
import { retryExchanges } from './retries.ts'
import type { AccessToken, TokenRequest, TokenSource } from './token.ts'

/** The outcome of one exchange with Entra ID: that of its last attempt. */
export interface ExchangeEvent {
  readonly request: TokenRequest
  readonly durationMs: number
  readonly outcome:
    | { readonly ok: true; readonly token: AccessToken }
    | { readonly ok: false; readonly error: BrokerError }
}

interface LimitOptions {
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Exchanges in the background, and exchanges for callers, that may wait. */
  readonly maxQueued?: number
  /**
   * How long a caller waits, in milliseconds. An exchange may wait for half of this in the queue. It ends after this
   * time in the background; for callers after twice as long, so that a late token is cached for the next ones.
   */
  readonly timeoutMs: number
  /** A limit that other token caches share; an exchange needs a permit of both. */
  readonly sharedLimit?: Semaphore | undefined
}

interface ExchangeSourceOptions extends LimitOptions {
  readonly loadDelayMs: number
  readonly clock: Clock
  /** Receives whole exchanges, each with all of its attempts. */
  readonly onExchange: (event: ExchangeEvent) => void
  /** Returns [0, 1), for the jitter of retries. */
  readonly random?: () => number
}

/**
 * Creates the source of a token cache: exchanges that are limited in number and time, reported, and
 * retried. The source that `load` returns makes one attempt. It is loaded by the first request, or after
 * `loadDelayMs`: loading blocks the event loop, and with it the first health checks.
 */
export function createExchangeSource(
  load: () => Promise<TokenSource>,
  options: ExchangeSourceOptions,
): TokenSource {
  // Retries are inside, so that an attempt that waits for loading is not hedged.
  const loadRetried = async () => retryExchanges(await load(), options)
  const exchange = createLazySource(loadRetried, options.loadDelayMs)
  return limitExchanges(reportExchanges(exchange, options), options)
}

/**
 * Limits the exchanges of `next`. Further ones wait: exchanges in the background first, then the ones that callers
 * wait for. Throws `overloaded` for one that waits too long, or finds its queue full. An exchange stays in the queue
 * after its caller has hung up. `next` gets a signal that aborts at the time limit; the time in the queue counts
 * towards it.
 */
export function limitExchanges(next: TokenSource, options: LimitOptions): TokenSource {
  const { timeoutMs, sharedLimit = (work) => work() } = options
  const limit = createExchangeLimit(options)
  return async (request) => {
    const { isBackground: isUrgent = false } = request
    const deadline = startDeadline(isUrgent ? timeoutMs : 2 * timeoutMs)
    const run = () => next(request, deadline.signal)
    try {
      return await limit(() => sharedLimit(run, { isUrgent }), { isUrgent })
    } finally {
      deadline.clear()
    }
  }
}

/** Creates a limit of concurrent exchanges, in which one waits for half of the time that a caller waits. */
export function createExchangeLimit({
  maxConcurrent,
  maxQueued = Infinity,
  timeoutMs,
}: Omit<LimitOptions, 'sharedLimit'>): Semaphore {
  return createSemaphore({
    maxConcurrent,
    maxQueued,
    maxWaitMs: timeoutMs / 2,
    createError: () =>
      createOverloadedError('too many exchanges with Entra ID are running', 'WIMDS_MAX_EXCHANGES'),
  })
}

/** Creates the error of a request that finds no capacity, which `setting` limits. */
export function createOverloadedError(reason: string, setting: string): BrokerError {
  return new BrokerError('overloaded', reason, {
    fix: `retry, or raise ${setting}`,
    retryAfterMs: 1000,
  })
}

/** Reports every exchange of `next`, and gives it a correlation id if its request has none. */
function reportExchanges(
  next: TokenSource,
  { clock, onExchange }: Pick<ExchangeSourceOptions, 'clock' | 'onExchange'>,
): TokenSource {
  return async (original, signal) => {
    const request = { ...original, correlationId: original.correlationId ?? randomUUID() }
    const startedAt = clock.monotonic()
    const report = (outcome: ExchangeEvent['outcome']) =>
      onExchange({ request, durationMs: clock.monotonic() - startedAt, outcome })
    try {
      const token = await next(request, signal)
      report({ ok: true, token })
      return token
    } catch (thrown) {
      const error = toBrokerError(thrown)
      report({ ok: false, error })
      throw error
    }
  }
}

/** Creates a source that is loaded by the first request, or after `delayMs`. If loading fails, so does every request. */
function createLazySource(load: () => Promise<TokenSource>, delayMs: number): TokenSource {
  let source: Promise<TokenSource> | undefined

  function loadOnce(): Promise<TokenSource> {
    clearTimeout(timer)
    source ??= load()
    return source
  }

  // A failure is reported by the requests that need the source.
  const timer = setTimeout(() => void loadOnce().catch(() => {}), delayMs).unref()
  return async (request, signal) => (await loadOnce())(request, signal)
}
