/** How the simulated Entra learns an issuer's keys: its discovery document, then its key set. */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { z } from 'zod'
import { Refusal } from './entra-error.ts'

/** The little of `fetch` that is needed; redirects must not be followed. */
export type FetchText = (url: string) => Promise<{ readonly status: number; readonly text: string }>

interface IssuerKeys {
  readonly kids: ReadonlySet<string>
  readonly find: ReturnType<typeof createLocalJWKSet>
}

/** Resolves an issuer to its published keys. Throws AADSTS501661 or 900612 as a {@link Refusal}. */
export type IssuerKeySource = (issuer: string) => Promise<IssuerKeys>

/** How Entra reaches an issuer whose documents are not where its name says. */
export interface IssuerRoute {
  readonly fetchText: FetchText
  /** Default: the well-known path under the issuer. */
  readonly discoveryUrl?: string | undefined
  /** Default: the `jwks_uri` of the discovery document. */
  readonly jwksUrl?: string | undefined
}

interface SourceOptions {
  readonly routeTo: (issuer: string) => IssuerRoute
  /** How long keys are held. Entra's own time is not documented, and was seen to be 20 to 30 minutes. */
  readonly cacheMs?: number
  readonly now: () => number
}

/** Entra reads no more keys of a set than this. */
const MAX_KEYS = 100

const DiscoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.url() })
const KeySet = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1),
})

/** Fetches keys over HTTP, and holds them for `cacheMs` (0: each exchange fetches anew). */
export function issuerKeySource({ routeTo, cacheMs = 0, now }: SourceOptions): IssuerKeySource {
  const held = new Map<string, { keys: IssuerKeys; until: number }>()
  return async (issuer) => {
    const cached = held.get(issuer)
    if (cached && cached.until > now()) return cached.keys
    const keys = await fetchKeys(routeTo(issuer), issuer)
    held.set(issuer, { keys, until: now() + cacheMs })
    return keys
  }
}

async function fetchKeys(route: IssuerRoute, issuer: string): Promise<IssuerKeys> {
  const { fetchText, discoveryUrl, jwksUrl } = route
  const wellKnown = `${issuer.replace(/\/$/u, '')}/.well-known/openid-configuration`
  const discovery = DiscoveryDocument.safeParse(
    await fetchJson(fetchText, discoveryUrl ?? wellKnown),
  )
  if (!discovery.success || discovery.data.issuer !== issuer) throw endpointFailed()
  const keySet = KeySet.safeParse(await fetchJson(fetchText, jwksUrl ?? discovery.data.jwks_uri))
  if (!keySet.success) throw new Refusal(900612, 'Failed to parse provider signing keys.')
  const keys = keySet.data.keys.slice(0, MAX_KEYS)
  return {
    kids: new Set(keys.map(({ kid }) => kid)),
    find: createLocalJWKSet({ keys } satisfies JSONWebKeySet),
  }
}

async function fetchJson(fetchText: FetchText, url: string): Promise<unknown> {
  try {
    const { status, text } = await fetchText(url)
    if (status === 200) return JSON.parse(text)
  } catch {
    // Unreachable, not trusted, too slow or no JSON: Entra says the same of them all.
  }
  throw endpointFailed()
}

const endpointFailed = () => new Refusal(501661, 'Request to External OIDC endpoint failed.')
