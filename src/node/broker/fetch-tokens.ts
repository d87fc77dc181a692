/** The tokens of an earlier agent, which a successor fetches before it serves their pods. */
import type { Broker } from '../../broker/broker.ts'
import type { GetToken } from '../../broker/tokens/token.ts'
import { type ErrorCode, toBrokerError } from '../../lib/errors.ts'
import { retry } from '../../lib/retry.ts'
import type { TokenKey } from './messages.ts'

/** Returns client id and scope of each cached token, the most recently used last. */
export function listKeys({ entries }: Pick<Broker, 'entries'>): TokenKey[] {
  return entries()
    .filter(({ token }) => token !== undefined)
    .toSorted((one, other) => one.lastUsedAt - other.lastUsedAt)
    .map(({ request: { identity, scope } }) => [identity.clientId, scope])
}

/**
 * The errors of an outage of Entra ID or of the network, and of too many exchanges at the same time. No other failure is worth
 * waiting for: a pod whose projected token is invalid would keep the earlier agent from ending.
 */
const OUTAGE_CODES: ReadonlySet<ErrorCode> = new Set([
  'entra_unreachable',
  'entra_timeout',
  'entra_unavailable',
  'entra_throttled',
  'overloaded',
])

/**
 * Resolves when the tokens of these keys are cached, or when the signal aborts. Skips a token that the configuration forbids,
 * and a token whose exchange fails for a reason other than an outage.
 */
export async function fetchTokens(
  { findIdentity }: Broker,
  get: GetToken,
  keys: readonly TokenKey[],
  signal: AbortSignal,
): Promise<void> {
  async function fetchToken([clientId, scope]: TokenKey): Promise<void> {
    const identity = findIdentity(clientId, scope)
    if (identity === undefined) return
    await get({ identity, scope }, () => signal).catch((error: unknown) => {
      if (OUTAGE_CODES.has(toBrokerError(error).code)) throw error
    })
  }
  await Promise.all(
    keys.map((key) => retry(() => fetchToken(key), { onError: () => {}, signal }).catch(() => {})),
  )
}
