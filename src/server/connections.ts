/**
 * The limits on connections: at the cap the longest-idle one is closed, and the requests of one
 * connection are answered one after the other.
 */
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The connections of one or more servers, counted together. */
export interface ConnectionLimiter {
  /** Applies the limits to the server and lets the handler answer it. Call it before it listens. */
  readonly attach: (server: Server, handler: RequestListener) => void
  /** Returns the replies that a connection still waits for, in the order of their requests. */
  readonly pendingReplies: (connection: Duplex) => readonly ServerResponse[]
  /** Closes idle connections now, and the others after their last pending reply. */
  readonly drain: () => void
}

interface ConnectionState {
  readonly key: string
  /** Pending replies. Only the first is being answered; the others are the queue behind it. */
  readonly queue: ServerResponse[]
  /** When it was opened or its last reply ended, by the logical clock. */
  idleSince: number
}

/** Pipelined requests of one connection. No SDK pipelines at all. */
const MAX_PIPELINED = 16

/** Creates the limiter for at most `max` open connections. */
export function createConnectionLimiter(max: number): ConnectionLimiter {
  const open = new Map<Duplex, ConnectionState>()
  /** A logical clock: increases with each opened connection and each ended reply. */
  let now = 0

  function onConnection(socket: Socket): void {
    if (open.size >= max && !closeLongestIdle()) {
      socket.destroy()
      return
    }
    now += 1
    track(socket, { key: connectionKey(socket), queue: [], idleSince: now })
  }

  function track(socket: Socket, state: ConnectionState): void {
    open.set(socket, state)
    socket.once('close', () => open.delete(socket))
  }

  /** Tracks the TLS socket in place of the TCP socket below it: requests refer to the TLS socket only. */
  function onSecureConnection(encrypted: Socket): void {
    const key = connectionKey(encrypted)
    const [socket, state] = [...open].findLast(([, { key: other }]) => other === key) ?? []
    if (socket === undefined || state === undefined) {
      // The cap has closed the connection during its handshake.
      encrypted.destroy()
      return
    }
    open.delete(socket)
    track(encrypted, state)
  }

  function closeLongestIdle(): boolean {
    let longest: Duplex | undefined
    let idleSince = Infinity
    for (const [socket, state] of open) {
      if (state.idleSince >= idleSince || hasInflightRequest(state)) continue
      longest = socket
      idleSince = state.idleSince
    }
    if (longest === undefined) return false
    open.delete(longest)
    longest.destroy()
    return true
  }

  function drain(): void {
    for (const [socket, state] of open) {
      const last = state.queue.at(-1)
      if (last === undefined || !hasInflightRequest(state)) socket.destroy()
      // Node adds `Connection: close` to the reply, and closes the connection after it.
      else last.shouldKeepAlive = false
    }
  }

  function attach(server: Server, handler: RequestListener): void {
    // One listener for all replies: a closure for each request would cost more than the rest of this.
    function onReplyEnd(this: ServerResponse): void {
      const { socket } = this.req
      const state = open.get(socket)
      if (state === undefined) return
      state.queue.shift()
      now += 1
      state.idleSince = now
      // Other connections are served before the next pipelined request of this one.
      if (state.queue.length > 0) setImmediate(answerNext, socket, state)
    }
    function answerNext(socket: Socket, { queue: [next] }: ConnectionState): void {
      if (next !== undefined && !socket.destroyed) handler(next.req, next)
    }
    server.on('connection', onConnection)
    if ('setSecureContext' in server) server.on('secureConnection', onSecureConnection)
    server.on('request', (request, response: ServerResponse) => {
      const { socket } = request
      const queue = open.get(socket)?.queue
      if (queue === undefined || socket.destroyed) return
      if (queue.length > MAX_PIPELINED) {
        socket.destroy()
        return
      }
      response.on('close', onReplyEnd)
      queue.push(response)
      if (queue.length === 1) handler(request, response)
    })
  }

  return { attach, pendingReplies: (connection) => open.get(connection)?.queue ?? [], drain }
}

/** Identifies the TCP connection of a socket. */
function connectionKey({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress}|${localPort}|${remoteAddress}|${remotePort}`
}

/**
 * Returns whether this side owes the reply to a request that has arrived completely. A reply that is
 * written and that the caller does not read does not count.
 */
function hasInflightRequest({ queue: [first] }: ConnectionState): boolean {
  return first?.req.complete === true && !first.writableEnded
}
