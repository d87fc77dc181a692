/** The token proxy of a cluster's identity bindings: it forwards exchanges to Entra ID. */
import { type Dispatcher, fetch } from 'undici'
import type { Handler } from './http/handler.ts'

interface TokenProxyOptions {
  /** Path that the proxy answers under, without a trailing slash. Default: the root. */
  readonly prefix?: string
  /** Origin of Entra ID. */
  readonly authorityHost: string
  /** Reaches Entra ID. */
  readonly dispatcher: Dispatcher
  /** Called with a copy of each request. */
  readonly onRequest?: (request: Request) => void
}

/** The name in its certificate. It is in no DNS: clients connect to the address. */
export const TOKEN_PROXY_SNI_NAME = 'token-proxy.wimds.test'

const HOP_BY_HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

/** Creates the proxy. It answers 404 outside its prefix. */
export function createTokenProxy({
  prefix = '',
  authorityHost,
  dispatcher,
  onRequest,
}: TokenProxyOptions): Handler {
  return async (request) => {
    onRequest?.(request.clone())
    const { pathname, search } = new URL(request.url)
    if (!pathname.startsWith(`${prefix}/`)) return new Response(null, { status: 404 })
    const response = await fetch(`${authorityHost}${pathname.slice(prefix.length)}${search}`, {
      method: request.method,
      headers: [...request.headers].filter(([name]) => !HOP_BY_HOP.has(name)),
      // Not an empty one: fetch takes none for GET and HEAD.
      body: request.body === null ? null : await request.arrayBuffer(),
      dispatcher,
    })
    return new Response(await response.arrayBuffer(), {
      status: response.status,
      headers: [...response.headers],
    })
  }
}
