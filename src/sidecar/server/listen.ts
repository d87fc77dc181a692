/** Node's HTTP servers with every limit set: one for each address, and one cap on connections for all. */
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http'
import type { Server as TcpServer } from 'node:net'
import type { Address } from '../config/parsers.ts'
import { ConnectionLimiter, type ConnectionPolicy, KEEP_BUSY } from './connections.ts'

export interface ListenOptions {
  readonly maxConnections: number
  /** By default connections that wait for a reply are kept. */
  readonly policy?: ConnectionPolicy
  /** Only tests have others. */
  readonly timeouts?: typeof CONNECTION_TIMEOUTS
}

/** Servers that listen. */
export interface Listener {
  /** The bound addresses, with the port that a 0 became. */
  readonly addresses: readonly Address[]
  /** Returns how many connections have been accepted. */
  readonly accepted: () => number
  /** Stops accepting, answers inflight requests, and after `timeoutMs` closes every connection. */
  readonly close: (timeoutMs: number) => Promise<void>
}

/** No dialect and no document reads a longer body. */
export const MAX_BODY_BYTES = 65_536

/** Timeouts of connections in milliseconds, which the webhook's server shares. */
export const CONNECTION_TIMEOUTS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  // Idle callers keep their connection; the cap closes them when others need the room.
  keepAliveTimeout: 75_000,
}

const LIMITS: ServerOptions = {
  maxHeaderSize: 16_384,
  // The guard rejects a missing Host in JSON, and allows it from HTTP/1.0 clients (R17).
  requireHostHeader: false,
  // The stream of a request without a body, with its events, is a tenth of a cached token's cost.
  optimizeEmptyRequests: true,
}

/** More than any client sends, and few enough to be cheap: Node copies all headers at each 32. */
const MAX_HEADERS = 128

/**
 * Connections that wait to be accepted. A caller that finds the queue full tries again a second later.
 * The kernel lowers the number to its own limit.
 */
const BACKLOG = 4096

/** A listening socket of another process, as its message brings it. Node takes it where it takes an address. */
export interface SocketHandle {
  readonly fd: number
  /** For a handle that no server has taken. */
  readonly close: () => void
}

/** An address to bind, or a socket. */
export type ListenTarget = Address | SocketHandle

/** Listens on every target, or on none. Throws the error of `listen`, such as EADDRINUSE. */
export async function listen(
  handler: RequestListener,
  targets: readonly ListenTarget[],
  options: ListenOptions,
): Promise<Listener> {
  const limiter = new ConnectionLimiter(options.maxConnections, options.policy ?? KEEP_BUSY)
  const servers: Server[] = []
  const bound: Address[] = []
  let accepted = 0
  try {
    for (const target of targets) {
      const server = createLimitedServer(handler, limiter, options)
      server.on('connection', () => (accepted += 1))
      servers.push(server)
      bound.push(await bind(server, target))
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  return {
    addresses: bound,
    accepted: () => accepted,
    close: async (timeoutMs) => {
      const closed = servers.map((server) => closeServer(server, timeoutMs))
      limiter.drain()
      await Promise.all(closed)
    },
  }
}

/** Creates a server. Node itself answers what is no HTTP request, with 400, 408 or 431 and no body. */
function createLimitedServer(
  handler: RequestListener,
  limiter: ConnectionLimiter,
  { timeouts = CONNECTION_TIMEOUTS }: ListenOptions,
): Server {
  const server = createServer({ ...LIMITS, ...timeouts })
  server.maxHeadersCount = MAX_HEADERS
  limiter.attach(server, (request, response) => {
    // Some clients send a form with no content type or a wrong one (R18). And Fastify waits for the body that a
    // type announces, and it does not end without a stream.
    delete request.headers['content-type']
    // Node reads an unread body to its end before the next request: the connection is closed instead.
    if (mayExceedBodyLimit(request)) response.shouldKeepAlive = false
    // Node before 24 drops headers above the limit, and one of them might make the guard reject the request. Later
    // versions reject by themselves.
    if (request.rawHeaders.length < 2 * MAX_HEADERS) handler(request, response)
    else response.writeHead(431, { Connection: 'close', 'Content-Length': 0 }).end()
  })
  // An Expect other than 100-continue can be ignored (R17).
  server.on('checkExpectation', (...exchange) => server.emit('request', ...exchange))
  return server
}

/**
 * Lets a server listen. Returns the bound address: for `::`, which means every address, this is `0.0.0.0` on a
 * machine without IPv6. Throws the error of `listen`.
 */
export async function bind(server: TcpServer, target: ListenTarget): Promise<Address> {
  if ('fd' in target) server.listen(target, BACKLOG)
  else {
    const { host, port } = target
    // Node falls back to IPv4 only where no host is given.
    server.listen({ port, backlog: BACKLOG, ...(host !== '::' && { host }) })
  }
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server is not bound')
  return { host: bound.address, port: bound.port }
}

/** A server with or without TLS. */
type Closable = Pick<Server, 'close' | 'closeAllConnections'>

/** Stops accepting, and closes every connection after `timeoutMs` at the latest. */
export function closeServer(server: Closable, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function mayExceedBodyLimit({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES
}
