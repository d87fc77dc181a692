/** Plays the token proxy of a cluster's identity bindings: it passes exchanges on to Entra ID. */
import { type Dispatcher, fetch } from 'undici'
import type { Handler } from './handler.ts'

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

/** Headers that are about this connection, and no part of what is passed on. */
const OF_THE_CONNECTION = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])
