/** Plays the token proxy of a cluster's identity bindings: it passes exchanges on to Entra ID. */
import { type Dispatcher, fetch } from 'undici'
import type { CertificateAuthority } from '../lib/x509.ts'
import type { Handler } from './http/handler.ts'
import type { Listen, Sites } from './http/origins.ts'

interface TokenProxyOptions {
  /** The path under which it answers, without a trailing slash; empty: the root. */
  readonly prefix: string
  /** Origin of Entra ID, and the way to it. */
  readonly authorityHost: string
  readonly dispatcher: Dispatcher
  /** Told of each request that came, as it came. */
  readonly onRequest?: (request: Request) => void
}

/** A server for `serve`; what does not begin with its prefix is answered with 404. */
export function createTokenProxy(options: TokenProxyOptions): Handler {
  const { prefix, authorityHost, dispatcher, onRequest } = options
  return async (request) => {
    onRequest?.(request.clone())
    const { pathname, search } = new URL(request.url)
    if (!pathname.startsWith(`${prefix}/`)) return new Response(null, { status: 404 })
    const answer = await fetch(`${authorityHost}${pathname.slice(prefix.length)}${search}`, {
      method: request.method,
      headers: [...request.headers].filter(([name]) => !OF_THE_CONNECTION.has(name)),
      body: await request.arrayBuffer(),
      dispatcher,
    })
    return new Response(await answer.arrayBuffer(), {
      status: answer.status,
      headers: [...answer.headers],
    })
  }
}

/** A token proxy with an origin. */
export interface TokenProxySite {
  /** The value for AZURE_KUBERNETES_TOKEN_PROXY. */
  readonly url: string
  /** The only name that its certificate is for: the value for AZURE_KUBERNETES_SNI_NAME. */
  readonly sniName: string
}

interface TokenProxySiteOptions extends Pick<TokenProxyOptions, 'authorityHost' | 'dispatcher'> {
  /** Undefined: there is to be none. */
  readonly listen: Listen | undefined
  /** The name in its URL, when that is not the address. */
  readonly publicName: string | undefined
}

/** A cluster's proxy is reached by address, and has a certificate for a name that no DNS knows. */
const SNI_NAME = 'token-proxy.wimds.test'

/** Gives a token proxy an origin of its own, with a certificate of this authority. */
export async function openTokenProxy(
  sites: Sites,
  authority: CertificateAuthority,
  { listen, publicName, ...upstream }: TokenProxySiteOptions,
): Promise<TokenProxySite | undefined> {
  if (listen === undefined) return undefined
  const tls = await authority.issue({ names: [SNI_NAME] })
  const site = await sites.open('token-proxy', { ...listen, publicName, tls })
  site.mount(createTokenProxy({ prefix: '', ...upstream }))
  return { url: site.url, sniName: SNI_NAME }
}

/** Headers that are about this connection, and no part of what is passed on. */
const OF_THE_CONNECTION = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])
