/** The layers between the token cache and the exchange: limiter → observer → lazy loading → retries. */
import { randomUUID } from 'node:crypto'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Clock } from './clock.ts'
import { limitExchanges } from './limiter.ts'
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

interface ExchangeSourceOptions {
  readonly loadDelayMs: number
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** First tokens, and refreshes, that may be queued. */
  readonly maxQueued?: number
  /** How long a caller waits, in milliseconds. An exchange for callers may go on for as long again. */
  readonly timeoutMs: number
  /** A limit that other token caches share. */
  readonly sharedLimit?: Semaphore | undefined
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
  const { loadDelayMs, clock, onExchange } = options
  // Retries are inside, so that an attempt that waits for loading is not hedged.
  const exchange = createLazySource(async () => retryExchanges(await load(), options), loadDelayMs)
  const observed = observeExchanges(exchange, { clock, onExchange })
  return limitExchanges(observed, options)
}

/** Reports every exchange of `next`, and gives it a correlation id if its request has none. */
function observeExchanges(
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
