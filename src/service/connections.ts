/**
 * Node's HTTP servers with all limits set. A new connection above the limit replaces another one or is closed, and each
 * connection has one request at a time.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'

/** The timeouts of connections in milliseconds, also for the webhook's server. */
export const CONNECTION_TIMEOUTS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  // Idle callers keep their connections until the limit closes them for new callers.
  keepAliveTimeout: 75_000,
}

const LIMITS: ServerOptions = {
  maxHeaderSize: 16_384,
  // The guard rejects a missing Host in JSON, and allows it from HTTP/1.0 clients (R17).
  requireHostHeader: false,
  // A stream for each empty body would take a tenth of the CPU of a cached token.
  optimizeEmptyRequests: true,
}

/** The longest body that a server reads: no form with the parameters of a token request is longer. */
export const MAX_BODY_BYTES = 65_536

/** No client sends more. Many headers are expensive, because Node copies all of them after every 32. */
const MAX_HEADERS = 128

/** Creates a server. Node itself answers invalid HTTP, with 400, 408 or 431 and no body. */
export function createLimitedServer(
  handler: RequestListener,
  limiter: ConnectionLimiter,
  timeouts: typeof CONNECTION_TIMEOUTS,
): Server {
  const server = createServer({ ...LIMITS, ...timeouts })
  server.maxHeadersCount = MAX_HEADERS
  limiter.attach(server, (request, response) => {
    // Some clients send a form with no content type or a wrong one (R18). If there is a type, Fastify waits for the end of the
    // body, which never comes for an empty body without a stream.
    delete request.headers['content-type']
    // Otherwise Node would read the whole body before the next request.
    if (mayExceedBodyLimit(request)) response.shouldKeepAlive = false
    // Node before 24 drops headers above the limit, and one of them might make the guard reject the request. Later versions
    // reject such a request themselves.
    if (request.rawHeaders.length < 2 * MAX_HEADERS) handler(request, response)
    else response.writeHead(431, { Connection: 'close', 'Content-Length': 0 }).end()
  })
  // An Expect other than 100-continue can be ignored (R17).
  server.on('checkExpectation', (...exchange) => server.emit('request', ...exchange))
  return server
}

function mayExceedBodyLimit({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES
}

/** A client sends its first request at once, and treats a connection that is closed without a byte as an error. */
const FIRST_REQUEST_MS = 1000

export interface Connection {
  readonly socket: Socket
  /** The replies that have not ended: the current one, and at most one before it that is written but not closed. */
  readonly pending: ServerResponse[]
  replies: number
  /** The time at which it was opened or its last reply ended, by a logical clock. */
  idleSince: number
}

/** Chooses the connection to close when a new one exceeds the limit. If it returns undefined, the new one is closed. */
export type ChooseVictim = (open: readonly Connection[]) => Connection | undefined

/** Chooses the connection that has been idle longest; undefined if every connection waits for a reply. */
export const chooseIdle: ChooseVictim = (open) =>
  findFirst(
    open.filter((connection) => !hasInflightRequest(connection)),
    (one, other) => one.idleSince - other.idleSince,
  )

/** Limits the open connections of one or more servers together to `max`. */
export class ConnectionLimiter {
  readonly #max: number
  readonly #chooseVictim: ChooseVictim
  readonly #open = new Map<Socket, Connection>()
  /** A logical clock: increases with each opened connection and each ended reply. */
  #now = 0
  #isDraining = false
  /** The number of accepted connections, including closed ones. */
  accepted = 0

  constructor(max: number, chooseVictim: ChooseVictim) {
    this.#max = max
    this.#chooseVictim = chooseVictim
  }

  get open(): readonly Connection[] {
    return [...this.#open.values()]
  }

  /**
   * Applies the limits to a server and calls the handler for its requests. Call it before the server listens. `findSocket`
   * returns the accepted socket for a request's socket: with TLS they differ.
   */
  attach(server: Server, handler: RequestListener, findSocket = (socket: Socket) => socket): void {
    server.on('connection', (socket: Socket) => this.#add(socket))
    server.on('request', (request, response: ServerResponse) => {
      const socket = findSocket(request.socket)
      const pending = this.#open.get(socket)?.pending
      if (pending === undefined || socket.destroyed) return
      // The last reply may be written and not closed yet when an honest client's next request arrives.
      const written = Number(pending[0]?.writableEnded === true)
      if (pending.length > written) {
        socket.destroy()
        return
      }
      response.on('close', () => this.#endReply(socket))
      if (this.#isDraining) response.shouldKeepAlive = false
      pending.push(response)
      handler(request, response)
    })
  }

  /** Closes idle connections now, and the others after their reply. A new connection has a second to send its first request. */
  drain(): void {
    this.#isDraining = true
    for (const connection of this.open) if (!isNew(connection)) this.closeAfterReply(connection)
    setTimeout(() => {
      for (const connection of this.open.filter(isNew)) this.#close(connection)
    }, FIRST_REQUEST_MS).unref()
  }

  /** Closes a connection. If a request has arrived, closes it after the reply. */
  closeAfterReply(connection: Connection): void {
    const last = connection.pending.at(-1)
    if (last === undefined || !hasInflightRequest(connection)) this.#close(connection)
    // Node adds `Connection: close` to the reply, and closes the connection after it.
    else last.shouldKeepAlive = false
  }

  #endReply(socket: Socket): void {
    const connection = this.#open.get(socket)
    if (connection === undefined) return
    connection.pending.shift()
    connection.replies += 1
    this.#now += 1
    connection.idleSince = this.#now
  }

  /** Adds a new connection. At the limit closes the chosen victim; without one, closes the new connection. */
  #add(socket: Socket): void {
    this.accepted += 1
    if (this.#open.size >= this.#max) {
      const victim = this.#chooseVictim(this.open)
      if (victim === undefined) {
        socket.destroy()
        return
      }
      this.#close(victim)
    }
    this.#now += 1
    this.#open.set(socket, { socket, pending: [], replies: 0, idleSince: this.#now })
    socket.once('close', () => this.#open.delete(socket))
  }

  #close({ socket }: Connection): void {
    this.#open.delete(socket)
    socket.destroy()
  }
}

function isNew({ replies, pending }: Connection): boolean {
  return replies === 0 && pending.length === 0
}

/**
 * Returns true if a request has arrived completely and its reply is not written yet. It does not matter whether the caller has
 * read a written reply.
 */
export function hasInflightRequest({ pending }: Connection): boolean {
  const last = pending.at(-1)
  return last?.req.complete === true && !last.writableEnded
}

/** Returns the value that would be the first after sorting; undefined if there is none. */
export function findFirst<T>(
  values: readonly T[],
  compare: (one: T, other: T) => number,
): T | undefined {
  let first = values[0]
  for (const value of values) if (first === undefined || compare(value, first) < 0) first = value
  return first
}
