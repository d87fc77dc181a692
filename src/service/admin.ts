/** The admin port of the sidecar, the webhook and the node agent: probes, metrics, and routes for people on loopback. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Address } from './parsers.ts'
import { errorMessage } from '../lib/describe-error.ts'
import { isLoopback } from '../lib/hosts.ts'
import { type ChooseVictim, findFirst } from './connections.ts'
import { listen, type Listener } from './listen.ts'
import { sendJson, sendText } from './send.ts'

type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export type Routes = Readonly<Record<string, Route>>

export interface AdminParts {
  /** Returns the body of `/readyz`. The status is 200 if `ready` is true, else 503. */
  readonly readiness: () => { readonly ready: boolean }
  /** Returns the metrics in Prometheus's text format. */
  readonly scrape: () => Promise<string>
  /** Further routes, only for requests over loopback. */
  readonly loopbackRoutes?: Routes
}

/** The limit of open connections. Probes and Prometheus need few. */
const MAX_CONNECTIONS = 64

/** Binds every address of an admin port, or none. Throws the error of `listen`, such as EADDRINUSE. */
export function listenForAdmin(
  parts: AdminParts,
  addresses: readonly Address[],
): Promise<Listener> {
  const options = { maxConnections: MAX_CONNECTIONS, chooseVictim: chooseOfLargestPeer }
  return listen(createHandler(parts), addresses, options)
}

/**
 * Chooses a connection of the peer with the most connections, busy or not, so that no peer keeps others out. Of these
 * connections it chooses the one with the most replies, so that new connections of this peer are answered too.
 */
const chooseOfLargestPeer: ChooseVictim = (open) => {
  const peers = [...Map.groupBy(open, ({ socket }) => socket.remoteAddress).values()]
  const largest = findFirst(peers, (one, other) => other.length - one.length) ?? []
  return findFirst(
    largest,
    (one, other) => other.replies - one.replies || one.idleSince - other.idleSince,
  )
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Creates the handler. HEAD is answered as GET; Node leaves out the body. */
function createHandler(parts: AdminParts): RequestListener {
  const { readiness, loopbackRoutes = {} } = parts
  const scrape = shareScrapes(parts.scrape)
  const remoteRoutes: Routes = {
    '/healthz': (_request, response) => sendJson(response, 200, { status: 'ok' }),
    '/readyz': (_request, response) => {
      const state = readiness()
      sendJson(response, state.ready ? 200 : 503, state)
    },
    '/metrics': async (_request, response) => {
      sendText(response, 200, { 'Content-Type': METRICS_TYPE }, await scrape())
    },
  }
  const routes = new Map([
    ...Object.entries(loopbackRoutes).map(([path, route]) => [path, rejectRemote(route)] as const),
    ...Object.entries(remoteRoutes),
  ])
  const notFound = `there is no such path here. Paths: ${formatPaths(loopbackRoutes)}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const route = isRead ? routes.get(request.url?.split('?', 1)[0] ?? '') : undefined
    if (route === undefined) sendJson(response, 404, { error: notFound })
    else await route(request, response)
  }

  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { error: errorMessage(error) })
    })
  }
}

/** How long the text of the metrics is cached. Writing it blocks the event loop, and any caller can request it. */
const MAX_SCRAPE_AGE_MS = 1000

/**
 * Returns a function that calls `scrape`, but never twice at the same time. All callers get the same result until it is a
 * second old. Failures are not cached.
 */
export function shareScrapes(scrape: () => Promise<string>): () => Promise<string> {
  let latest: Promise<string> | undefined
  const forget = () => (latest = undefined)
  return () => {
    if (latest === undefined) {
      latest = scrape()
      latest.then(() => setTimeout(forget, MAX_SCRAPE_AGE_MS).unref(), forget)
    }
    return latest
  }
}

/** Returns the list of paths without `/`, which only redirects. */
function formatPaths(loopbackRoutes: Routes): string {
  const local = Object.keys(loopbackRoutes).filter((path) => path !== '/')
  const paths = '/healthz, /readyz, /metrics'
  return local.length === 0 ? paths : `${paths}; from loopback ${local.join(', ')}`
}

const LOOPBACK_ONLY =
  'only from loopback. Fix: use kubectl port-forward, and localhost or a loopback address as the host'

/** Wraps a route so that it answers requests over loopback only. No cache may keep the reply. */
function rejectRemote(route: Route): Route {
  return (request, response) => {
    response.setHeader('Cache-Control', 'no-store')
    if (isFromLoopback(request)) return route(request, response)
    sendJson(response, 403, { error: LOOPBACK_ONLY })
  }
}

/** A page whose name was made to resolve to loopback (DNS rebinding) sends its own name as Host. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/** A dual-stack socket adds a prefix to IPv4 addresses. */
const LOOPBACK_PEER = /^(?:(?:::ffff:)?127\.0\.0\.1|::1)$/i

/**
 * Returns true if the request came over loopback, names a loopback host and was not forwarded. Requests of `kubectl
 * port-forward` are such. The peer must be 127.0.0.1 or ::1: a mesh delivers requests of other pods from 127.0.0.6.
 */
function isFromLoopback({ socket, headers }: IncomingMessage): boolean {
  return (
    LOOPBACK_PEER.test(socket.remoteAddress ?? '') &&
    isLoopback(socket.localAddress ?? '') &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    headers['x-forwarded-for'] === undefined &&
    headers['forwarded'] === undefined
  )
}
