/** Fetches an issuer's signing keys: its discovery document, then its key set. */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { type Dispatcher, fetch } from 'undici'
import { z } from 'zod'
import { readWholeFile } from '../../../lib/files.ts'
import { EntraError } from './entra-error.ts'

export type IssuerKeys = Awaited<ReturnType<typeof fetchKeys>>

/** The way to fetch the documents of an issuer, in the form of a configuration file. */
export const IssuerRouteSchema = z.strictObject({
  /** File of the bearer token for an API server that requires one. It is read before each request. */
  bearerTokenFile: z.string().optional(),
  /** Default: the well-known path under the issuer. */
  discoveryUrl: z.url().optional(),
  /** Default: the `jwks_uri` of the discovery document. */
  jwksUrl: z.url().optional(),
})

export interface IssuerRoute extends z.infer<typeof IssuerRouteSchema> {
  readonly dispatcher: Dispatcher
}

const TIMEOUT_MS = 5_000

/** Members that an API server leaves out may be absent, but not empty (E11). */
const DiscoveryDocument = z.object({
  issuer: z.string(),
  jwks_uri: z.url(),
  authorization_endpoint: z.string().optional(),
  subject_types_supported: z.array(z.string()).min(1).optional(),
})
const KeySet = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1),
})

/** Fetches the published keys of an issuer. Throws AADSTS501661, 50166 or 900612 as {@link EntraError}. */
export async function fetchKeys(route: IssuerRoute, issuer: string) {
  const { discoveryUrl, jwksUrl } = route
  const wellKnown = `${issuer.replace(/\/$/u, '')}/.well-known/openid-configuration`
  const discovery = DiscoveryDocument.safeParse(await fetchJson(route, discoveryUrl ?? wellKnown))
  if (!discovery.success || discovery.data.issuer !== issuer) throw new EntraError(501661)
  if (discovery.data.authorization_endpoint === '') throw new EntraError(50166)
  const keySet = KeySet.safeParse(await fetchJson(route, jwksUrl ?? discovery.data.jwks_uri))
  if (!keySet.success) throw new EntraError(900612)
  const { keys } = keySet.data
  return {
    kids: new Set(keys.map(({ kid }) => kid)),
    find: createLocalJWKSet({ keys } satisfies JSONWebKeySet),
  }
}

async function fetchJson(
  { dispatcher, bearerTokenFile }: IssuerRoute,
  url: string,
): Promise<unknown> {
  try {
    const response = await fetch(url, {
      dispatcher,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: bearerTokenFile
        ? { authorization: `Bearer ${(await readWholeFile(bearerTokenFile)).trim()}` }
        : {},
    })
    if (response.status === 200) return await response.json()
  } catch {
    // Entra ID has one error for unreachable, untrusted, too slow and not JSON.
  }
  throw new EntraError(501661)
}
