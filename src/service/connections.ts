/** Node's HTTP servers with every limit set: at a cap on connections one is closed, and each has one request at a time. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'

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

/** The longest body that a server reads: no form with the parameters of a token request is longer. */
export const MAX_BODY_BYTES = 65_536

/** More than any client sends, and few enough to be cheap: Node copies all headers at each 32. */
const MAX_HEADERS = 128

/** Creates a server. Node itself answers what is no HTTP request, with 400, 408 or 431 and no body. */
export function createLimitedServer(
  handler: RequestListener,
  limiter: ConnectionLimiter,
  timeouts: typeof CONNECTION_TIMEOUTS,
): Server {
  const server = createServer({ ...LIMITS, ...timeouts })
  server.maxHeadersCount = MAX_HEADERS
  limiter.attach(server, (request, response) => {
    // Some clients send a form with no content type or a wrong one (R18). Fastify would wait for the body that a type
    // announces, and without a stream that never ends.
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

function mayExceedBodyLimit({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES
}

/** A client sends its first request at once, and treats a connection that is closed without a byte as an error. */
const FIRST_REQUEST_MS = 1000

export interface Connection {
  readonly socket: Socket
  /** The replies that have not ended: the one that is being answered, and at most a written one before it. */
  readonly pending: ServerResponse[]
  replies: number
  /** When it was opened or its last reply ended, by a logical clock. */
  idleSince: number
}

/** Chooses the connection that is closed for a new one at the cap; undefined: the new one is closed. */
export type ChooseVictim = (open: readonly Connection[]) => Connection | undefined

/** Chooses the longest-idle of the connections that wait for no reply. */
export const chooseIdle: ChooseVictim = (open) =>
  findFirst(
    open.filter((connection) => !hasInflightRequest(connection)),
    (one, other) => one.idleSince - other.idleSince,
  )

/** The open connections of one or more servers, counted together: at most `max`. */
export class ConnectionLimiter {
  readonly #max: number
  readonly #chooseVictim: ChooseVictim
  readonly #open = new Map<Socket, Connection>()
  /** A logical clock: increases with each opened connection and each ended reply. */
  #now = 0
  #isDraining = false
  /** How many connections have been accepted, the closed ones included. */
  accepted = 0

  constructor(max: number, chooseVictim: ChooseVictim) {
    this.#max = max
    this.#chooseVictim = chooseVictim
  }

  get open(): readonly Connection[] {
    return [...this.#open.values()]
  }

  /**
   * Applies the limits to the server and lets the handler answer it. Call it before it listens. `findSocket` returns the
   * accepted socket of a request's socket, which TLS replaces.
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

  /** Closes idle connections now, and the others after their reply. A new one has a second to send its first request. */
  drain(): void {
    this.#isDraining = true
    for (const connection of this.open) if (!isNew(connection)) this.closeAfterReply(connection)
    setTimeout(() => {
      for (const connection of this.open.filter(isNew)) this.#close(connection)
    }, FIRST_REQUEST_MS).unref()
  }

  /** Closes a connection, after the reply to a request that has arrived. */
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

  /** Adds a new connection, and at the cap closes another one for it, or else the new one. */
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
 * Returns whether this side owes the reply to a request that has arrived completely. A written reply
 * that the caller has not read does not count.
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
