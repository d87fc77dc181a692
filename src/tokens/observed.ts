/** Reports every exchange that passes, with how it ended and how long it took. */
import { randomUUID } from 'node:crypto'
import { type BrokerError, toBrokerError } from '../errors.ts'
import type { Clock } from './clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from './token.ts'

/** One exchange with Entra ID, ended. */
export interface ExchangeEvent {
  readonly request: TokenRequest
  readonly durationMs: number
  readonly outcome:
    | { readonly ok: true; readonly token: AccessToken }
    | { readonly ok: false; readonly error: BrokerError }
}

/** Each exchange has a correlation id from here on: its caller's, or one of its own. */
export function observed(
  next: TokenSource,
  report: (event: ExchangeEvent) => void,
  clock: Pick<Clock, 'monotonic'>,
): TokenSource {
  return async (asked, signal) => {
    const request = { correlationId: randomUUID(), ...asked }
    const start = clock.monotonic()
    const end = (outcome: ExchangeEvent['outcome']) =>
      report({ request, durationMs: clock.monotonic() - start, outcome })
    try {
      const token = await next(request, signal)
      end({ ok: true, token })
      return token
    } catch (thrown) {
      const error = toBrokerError(thrown)
      end({ ok: false, error })
      throw error
    }
  }
}
