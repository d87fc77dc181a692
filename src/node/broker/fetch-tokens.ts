/** The tokens of an earlier agent, which a successor fetches before it serves their pods. */
import type { Broker } from '../../broker/broker.ts'
import { createCacheKey } from '../../broker/tokens/cache-entry.ts'
import type { GetToken } from '../../broker/tokens/token.ts'
import { toBrokerError } from '../../lib/errors.ts'
import { retry } from '../../lib/retry.ts'
import type { TokenKey } from './messages.ts'

/** Returns client id and scope of each token that is cached. */
export function listKeys({ entries }: Broker): TokenKey[] {
  return entries()
    .filter(({ token }) => token !== undefined)
    .map(({ request: { identity, scope } }) => [identity.clientId, scope])
}

/**
 * Resolves when the tokens of these keys are cached, without those that the configuration forbids or that Entra ID refuses
 * for good, or when the signal aborts.
 */
export async function fetchTokens(
  { findIdentity }: Broker,
  get: GetToken,
  keys: readonly TokenKey[],
  signal: AbortSignal,
): Promise<void> {
  async function fetchToken([clientId, scope]: TokenKey): Promise<void> {
    const identity = findIdentity({ identity: { clientId }, scope })
    if (identity === undefined) return
    const request = { key: createCacheKey(identity, scope), identity, scope }
    await get(request, () => signal).catch((error: unknown) => {
      if (!toBrokerError(error).isPermanent) throw error
    })
  }
  await Promise.all(
    keys.map((key) => retry(() => fetchToken(key), { onError: () => {}, signal }).catch(() => {})),
  )
}
