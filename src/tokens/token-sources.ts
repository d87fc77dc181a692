/** Decorators of token sources, and the order in which they are stacked between cache and exchange. */
import { randomUUID } from 'node:crypto'
import { type BrokerError, toBrokerError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { limitExchanges } from './limiter.ts'
import type { AccessToken, TokenRequest, TokenSource } from './token.ts'

/** The outcome of one exchange with Entra ID. */
export interface ExchangeEvent {
  readonly request: TokenRequest
  readonly durationMs: number
  readonly outcome:
    | { readonly ok: true; readonly token: AccessToken }
    | { readonly ok: false; readonly error: BrokerError }
}

interface ExchangeSourceOptions {
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Time limit of an exchange in milliseconds, the wait for its turn included. */
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'monotonic'>
  readonly onExchange: (event: ExchangeEvent) => void
}

/** Creates the source that a token cache is for: exchanges that are limited in number and time. */
export function createExchangeSource(
  exchange: TokenSource,
  { maxConcurrent, timeoutMs, clock, onExchange }: ExchangeSourceOptions,
): TokenSource {
  const observed = observeExchanges(exchange, onExchange, clock)
  return limitExchanges(observed, { maxConcurrent, timeoutMs })
}

/** Reports every exchange of `next`, and gives it a correlation id if its request has none. */
export function observeExchanges(
  next: TokenSource,
  onExchange: (event: ExchangeEvent) => void,
  clock: Pick<Clock, 'monotonic'>,
): TokenSource {
  return async (original, signal) => {
    const request = { correlationId: randomUUID(), ...original }
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

/**
 * Creates a source that is loaded by the first request, or after `delayMs`: loading blocks the event loop,
 * and with it the first health checks. If loading fails, so does every request.
 */
export function createLazySource(load: () => Promise<TokenSource>, delayMs: number): TokenSource {
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
