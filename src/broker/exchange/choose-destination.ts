/** Decides where an assertion is sent: to Entra ID, or to the token proxy of the cluster. */
import { isFederationAudience } from '../../lib/clouds.ts'
import type { Identity } from '../identities.ts'
import type { Assertion } from './assertion.ts'

/**
 * Returns whether the exchanges of an identity go through the token proxy, if there is one. By default the
 * assertion decides: only Entra ID accepts a token for direct federation.
 */
export function usesTokenProxy(
  { exchangeVia }: Pick<Identity, 'exchangeVia'>,
  assertion: Pick<Assertion, 'audience'>,
): boolean {
  if (exchangeVia !== undefined) return exchangeVia === 'token-proxy'
  return !assertion.audience.some(isFederationAudience)
}
