/** A token source in moved time that does as it is told and remembers what it was asked. */
import { BrokerError, type ErrorCode } from '../../src/errors.ts'
import { Secret } from '../../src/secret.ts'
import { systemClock } from '../../src/tokens/clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../../src/tokens/token.ts'
import { ORDERS } from '../fixtures/parts.ts'

export const VAULT: TokenRequest = { identity: ORDERS, scope: 'https://vault.test/.default' }

/** A request for another key than `VAULT`. */
export const other = (name: string | number): TokenRequest => ({
  ...VAULT,
  scope: `https://resource-${name}.test/.default`,
})

export interface Behaviour {
  /** How long an answer takes. */
  readonly latencyMs?: number
  readonly lifetimeMs?: number
  readonly refreshInMs?: number
  /** Thrown in place of a token. */
  readonly error?: ErrorCode
  readonly retryAfterMs?: number
}

interface ScriptedEntra {
  readonly source: TokenSource
  /** Changes what happens to exchanges that begin from now on. */
  readonly behave: (behaviour: Behaviour) => void
  /** Every exchange that began, with when, on the monotonic clock. */
  readonly asked: readonly { readonly request: TokenRequest; readonly at: number }[]
  /** Most exchanges of one key that were under way at the same time. */
  readonly mostAtOnce: () => number
}

export const HOUR_MS = 3_600_000

/** Its tokens read `SCOPE #N`, N counting all exchanges from 1. Use it with fake timers. */
export function scriptedEntra(first: Behaviour = {}): ScriptedEntra {
  let behaviour = first
  let most = 0
  const running = new Map<string, number>()
  const asked: { request: TokenRequest; at: number }[] = []

  async function source(request: TokenRequest): Promise<AccessToken> {
    const { scope } = request
    const { latencyMs = 0, error, retryAfterMs, lifetimeMs = HOUR_MS, refreshInMs } = behaviour
    const start = { wall: systemClock.wall(), monotonic: systemClock.monotonic() }
    const text = `${scope} #${asked.push({ request, at: start.monotonic })}`
    running.set(scope, (running.get(scope) ?? 0) + 1)
    most = Math.max(most, running.get(scope) ?? 0)
    if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs))
    running.set(scope, (running.get(scope) ?? 0) - 1)
    if (error !== undefined) {
      throw new BrokerError(error, `told to fail with ${error}`, {
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      })
    }
    return {
      secret: new Secret(text),
      obtainedAt: start.wall,
      expiresAt: start.wall + lifetimeMs,
      expiresAtMonotonic: start.monotonic + lifetimeMs,
      lifetimeMs,
      ...(refreshInMs !== undefined && { refreshInMs }),
    }
  }

  return {
    source,
    behave: (next) => {
      behaviour = next
    },
    asked,
    mostAtOnce: () => most,
  }
}
