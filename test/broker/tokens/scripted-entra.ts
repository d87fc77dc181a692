/** A scripted Entra ID: a token source in fake time that answers as configured and records requests. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerError, type EntraDetails, type ErrorCode } from '../../../src/lib/errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createLifetime, systemClock } from '../../../src/broker/tokens/lifetime.ts'
import type { AccessToken, CacheRequest, TokenRequest } from '../../../src/broker/tokens/token.ts'
import { ORDERS } from '../../fixtures/parts.ts'

export const VAULT: CacheRequest = { identity: ORDERS, scope: 'https://vault.test/.default' }

/** Returns a request with another key than `VAULT`. */
export const other = (name: string | number): CacheRequest => ({
  identity: ORDERS,
  scope: `https://resource-${name}.test/.default`,
})

/** The AADSTS numbers by which Entra ID rejects with these codes. */
const AADSTS: Partial<Record<ErrorCode, number>> = {
  federated_credential_not_found: 700213,
  issuer_unreachable: 501661,
}

/** Creates an error of Entra ID. */
export function createEntraError(
  error: ErrorCode,
  retryAfterMs?: number,
  entra: EntraDetails = { aadsts: AADSTS[error] },
): BrokerError {
  return new BrokerError(error, `scripted failure: ${error}`, { retryAfterMs, entra })
}

export interface Behaviour {
  /** How long an answer takes, in milliseconds. */
  readonly latencyMs?: number
  readonly lifetimeMs?: number
  readonly refreshInMs?: number
  /** The error code that is thrown instead of a token. */
  readonly error?: ErrorCode
  readonly retryAfterMs?: number
  /** The details of the error, by default its usual AADSTS number. */
  readonly entra?: EntraDetails
}

export interface ScriptedEntra {
  readonly source: (request: TokenRequest, signal: AbortSignal) => Promise<AccessToken>
  /**
   * Sets the behaviour of exchanges that start from now on. Each behaviour is for one exchange; the last is also for all later
   * ones.
   */
  readonly behave: (...behaviours: readonly Behaviour[]) => void
  /** Every exchange, with its start on the monotonic clock. */
  readonly exchanges: readonly { readonly request: TokenRequest; readonly at: number }[]
  /** The most exchanges of one key that ran at the same time. */
  readonly maxInflight: () => number
  /** The exchanges that run now. */
  readonly inflight: () => number
}

/** Creates a scripted Entra ID. The text of its n-th token is `SCOPE #n`; all exchanges are counted from 1. */
export function createScriptedEntra(first: Behaviour = {}): ScriptedEntra {
  let behaviours: readonly Behaviour[] = [first]
  let most = 0
  const running = new Map<string, number>()
  const exchanges: { request: TokenRequest; at: number }[] = []

  async function source(request: TokenRequest, signal: AbortSignal): Promise<AccessToken> {
    const { scope } = request
    const [behaviour = {}, ...later] = behaviours
    if (later.length > 0) behaviours = later
    const { latencyMs = 0, error, lifetimeMs = 3_600_000, refreshInMs } = behaviour
    const startedAt = systemClock.monotonic()
    const text = `${scope} #${exchanges.push({ request, at: startedAt })}`
    running.set(scope, (running.get(scope) ?? 0) + 1)
    most = Math.max(most, running.get(scope) ?? 0)
    if (latencyMs > 0) await sleep(latencyMs, undefined, { signal }).catch(() => undefined)
    running.set(scope, (running.get(scope) ?? 0) - 1)
    if (signal.aborted) throw new BrokerError('entra_timeout', 'no response in time')
    if (error !== undefined) {
      throw createEntraError(error, behaviour.retryAfterMs, behaviour.entra)
    }
    return {
      secret: new Secret(text),
      lifetime: createLifetime(startedAt, lifetimeMs, systemClock),
      ...(refreshInMs !== undefined && { refreshInMs }),
    }
  }

  return {
    source,
    behave: (...next) => {
      behaviours = next
    },
    exchanges,
    maxInflight: () => most,
    inflight: () => [...running.values()].reduce((sum, count) => sum + count, 0),
  }
}
