/** Finds the token endpoints that the identities of a configuration use. */
import type { Config } from '../../sidecar/config/config.ts'
import type { Assertion } from '../../sidecar/exchange/assertion.ts'
import { resolveAuthority } from '../../lib/clouds.ts'
import { usesTokenProxy } from '../../sidecar/exchange/dispatcher.ts'
import type { Identity } from '../../sidecar/identities.ts'
import { getPeer } from '../../lib/hosts.ts'
import type { Endpoint } from './connectivity.ts'

/** Returns whether the exchanges of an identity go through the token proxy, as far as is known. */
export function isViaTokenProxy(
  identity: Identity,
  { tokenProxy }: Pick<Config['exchange'], 'tokenProxy'>,
  assertion: Assertion | undefined,
): boolean {
  if (tokenProxy === undefined) return false
  return usesTokenProxy(identity, assertion ?? { audience: [] })
}

/** Returns each endpoint once: of Entra ID, and the token proxy. `assertions` has the readable tokens by their files. */
export function findEndpoints(
  { directory, exchange }: Pick<Config, 'directory' | 'exchange'>,
  assertions: ReadonlyMap<string, { readonly assertion?: Assertion }>,
): Endpoint[] {
  const { region, tokenProxy } = exchange
  const direct = directory.identities.filter(
    (identity) =>
      !isViaTokenProxy(identity, exchange, assertions.get(identity.tokenFile)?.assertion),
  )
  const tokenHosts = direct.map(
    ({ authorityHost, tenantId }) => resolveAuthority(authorityHost, tenantId, region).tokenHost,
  )
  const endpoints = [...new Set(tokenHosts)].map((tokenHost) => ({
    ...getPeer(new URL(`https://${tokenHost}`)),
    isTokenProxy: false,
  }))
  const hasProxied = direct.length < directory.identities.length
  return tokenProxy !== undefined && hasProxied
    ? [{ ...getPeer(new URL(tokenProxy.url)), isTokenProxy: true }, ...endpoints]
    : endpoints
}
