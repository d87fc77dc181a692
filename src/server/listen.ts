/** Node's HTTP servers with every limit set: one per address, one cap on connections for all. */
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Address } from '../config/parsers.ts'
import { bind } from './bind.ts'
import { type Connections, connections } from './connections.ts'
import { JSON_TYPE } from './replies.ts'
import { leaveUnread, linger } from './unread-bodies.ts'

export interface ListenerOptions {
  readonly maxConnections: number
  /** The body of the 400 that answers bytes which are not HTTP. */
  readonly malformedBody: string
  /** Serves TLS with this certificate; undefined: plain HTTP. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string }
}

/** Servers that are up. */
export interface Listener {
  /** Where they truly listen. */
  readonly addresses: readonly Address[]
  /** Takes no new connections, lets requests end, and after `timeoutMs` closes what is left. */
  readonly close: (timeoutMs: number) => Promise<void>
}

const LIMITS: ServerOptions = {
  maxHeaderSize: 16_384,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  // Idle callers keep their connection; the cap closes them when others need the room.
  keepAliveTimeout: 75_000,
  // The guard refuses a missing Host itself, in JSON, and lets HTTP/1.0 clients pass.
  requireHostHeader: false,
}

const TLS_LIMITS = { handshakeTimeout: 5000, minVersion: 'TLSv1.2' } as const

/**
 * A caller that ends its side after the request, as `nc -N` does, still gets its reply. Node has no other
 * way to say so than this property, which its documentation leaves out.
 */
const ALLOW_HALF_OPEN = { httpAllowHalfOpen: true }

/** More than any client sends, and few enough to be cheap: Node copies all before at each 32. */
const MAX_HEADERS = 128

/** Binds all addresses or none. Throws what `listen` fails with, such as EADDRINUSE. */
export async function listen(
  handler: RequestListener,
  addresses: readonly Address[],
  { maxConnections, malformedBody, tls }: ListenerOptions,
): Promise<Listener> {
  const open = connections(maxConnections)
  const servers: Server[] = []
  const bound: Address[] = []
  try {
    for (const address of addresses) {
      const server =
        tls === undefined
          ? createServer(LIMITS)
          : createTlsServer({ ...LIMITS, ...TLS_LIMITS, cert: tls.certPem, key: tls.keyPem })
      server.maxHeadersCount = MAX_HEADERS
      Object.assign(server, ALLOW_HALF_OPEN)
      open.watch(server, (request, response) => {
        leaveUnread(request, response)
        if (request.rawHeaders.length < 2 * MAX_HEADERS) handler(request, response)
        else refuseHeaders(response, malformedBody)
      })
      // An Expect that is not 100-continue can be ignored (R17).
      server.on('checkExpectation', (...exchange) => server.emit('request', ...exchange))
      server.on('clientError', (error, socket) => refuseBytes(error, socket, open, malformedBody))
      server.on('connect', (_request, socket) => {
        // Node leaves the connection to this listener, and without one of its errors would end the process.
        socket.on('error', () => socket.destroy())
        lastWords(socket, '405 Method Not Allowed', malformedBody)
      })
      servers.push(server)
      bound.push(await bind(server, address))
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  return {
    addresses: bound,
    close: async (timeoutMs) => {
      const closed = servers.map((server) => closeServer(server, timeoutMs))
      open.drain()
      await Promise.all(closed)
    },
  }
}

function closeServer(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/**
 * For older Nodes, which leave out the headers above the limit: one of those might be what the request
 * has to be refused for. Newer ones refuse by themselves.
 */
function refuseHeaders(response: ServerResponse, body: string): void {
  response.writeHead(431, {
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  })
  response.end(body)
}

/**
 * Bytes that are not HTTP end a connection, after the replies to the requests before them. A request
 * whose own body they are, or whose body did not come in time, gets no other reply than this one.
 */
function refuseBytes(
  error: Error & { code?: string },
  socket: Duplex,
  open: Connections,
  body: string,
): void {
  const pending = open.pending(socket)
  const isOwnBody = pending.some(({ req, writableEnded }) => !req.complete && !writableEnded)
  const last = pending.findLast(({ req, writableEnded }) => req.complete || writableEnded)
  const refuse = () => lastWords(socket, STATUS_LINES[error.code ?? ''] ?? '400 Bad Request', body)
  if (error.code === 'ECONNRESET') socket.destroy()
  else if (last === undefined) refuse()
  else last.once('close', isOwnBody ? refuse : () => socket.end())
}

const STATUS_LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Replies and closes; a second call for the same connection changes nothing. */
function lastWords(socket: Duplex, status: string, body: string): void {
  if (!socket.writable) return
  socket.write(
    `HTTP/1.1 ${status}\r\nContent-Type: ${JSON_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
  linger(socket)
}
