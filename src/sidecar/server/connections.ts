/** The limits on connections: at the cap one is closed, and each has one request at a time. */
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** An open connection. */
export interface ConnectionState {
  readonly socket: Socket
  readonly key: string
  /** The address of the other side. */
  readonly peer: string
  /** The replies that have not ended: the one that is being answered, and at most a written one before it. */
  readonly pending: ServerResponse[]
  /** Replies that have ended. */
  replies: number
  /** When it was opened or its last reply ended, by a logical clock. */
  idleSince: number
}

/** How connections are limited. */
export interface ConnectionPolicy {
  /** Chooses the connection that is closed for a new one at the cap; undefined: the new one is closed. */
  readonly chooseVictim: (open: Iterable<ConnectionState>) => ConnectionState | undefined
  /** Answers what the connection waits for before it is closed, as long as there are fewer than twice the cap. */
  readonly isGraceful?: boolean
}

/** Closes the longest-idle of the connections that wait for no reply. */
export const KEEP_BUSY: ConnectionPolicy = {
  chooseVictim: (open) => {
    const idle = [...open].filter((state) => !hasInflightRequest(state))
    return findFirst(idle, (one, other) => one.idleSince - other.idleSince)
  },
}

/**
 * Closes a connection of the peer that has the most, busy or not, so that no peer keeps others out. A new
 * connection of that peer gets in too: of its connections the one with the most replies is closed.
 */
export const SHARE_BY_PEER: ConnectionPolicy = {
  chooseVictim: (open) => {
    const peers = [...Map.groupBy(open, ({ peer }) => peer).values()]
    const largest = findFirst(peers, (one, other) => other.length - one.length) ?? []
    return findFirst(
      largest,
      (one, other) => other.replies - one.replies || one.idleSince - other.idleSince,
    )
  },
}

/**
 * The open connections of one or more servers, counted together: at most `max`, or twice as many if the policy is
 * graceful.
 */
export class ConnectionLimiter {
  readonly #max: number
  readonly #policy: ConnectionPolicy
  readonly #open = new Map<Duplex, ConnectionState>()
  /** A logical clock: increases with each opened connection and each ended reply. */
  #now = 0

  constructor(max: number, policy: ConnectionPolicy) {
    this.#max = max
    this.#policy = policy
  }

  /** Applies the limits to the server and lets the handler answer it. Call it before it listens. */
  attach(server: Server, handler: RequestListener): void {
    const endReply = (socket: Duplex) => this.#endReply(socket)
    /** The one listener of all replies: a closure for each request would cost more than the rest of this. */
    function onClose(this: ServerResponse): void {
      endReply(this.req.socket)
    }
    server.on('connection', (socket: Socket) => this.#add(socket))
    if ('setSecureContext' in server) {
      server.on('secureConnection', (encrypted: Socket) => this.#replaceByEncrypted(encrypted))
    }
    server.on('request', (request, response: ServerResponse) => {
      const { socket } = request
      const pending = this.#open.get(socket)?.pending
      if (pending === undefined || socket.destroyed) return
      // The last reply may be written and not closed yet when an honest client's next request arrives.
      const written = Number(pending[0]?.writableEnded === true)
      if (pending.length > written) {
        socket.destroy()
        return
      }
      response.on('close', onClose)
      pending.push(response)
      handler(request, response)
    })
  }

  /** Closes idle connections now, and the others after their reply. */
  drain(): void {
    for (const state of this.#open.values()) this.#closeAfterReplies(state)
  }

  #endReply(socket: Duplex): void {
    const state = this.#open.get(socket)
    if (state === undefined) return
    state.pending.shift()
    state.replies += 1
    this.#now += 1
    state.idleSince = this.#now
  }

  /** Adds a new connection, and at the cap closes another one for it, or else the new one. */
  #add(socket: Socket): void {
    if (this.#open.size >= this.#max && !this.#makeRoom()) {
      socket.destroy()
      return
    }
    this.#now += 1
    const { remoteAddress: peer = '' } = socket
    const key = connectionKey(socket)
    this.#track({ socket, key, peer, pending: [], replies: 0, idleSince: this.#now })
  }

  #track(state: ConnectionState): void {
    const { socket } = state
    this.#open.set(socket, state)
    socket.once('close', () => this.#open.delete(socket))
  }

  /** Tracks the TLS socket in place of the TCP socket below it: requests refer to the TLS socket only. */
  #replaceByEncrypted(encrypted: Socket): void {
    const key = connectionKey(encrypted)
    const state = [...this.#open.values()].findLast(({ key: other }) => other === key)
    if (state === undefined) {
      // The cap has closed the connection during its handshake.
      encrypted.destroy()
      return
    }
    this.#open.delete(state.socket)
    this.#track({ ...state, socket: encrypted })
  }

  /** Closes a connection for a new one. Returns false if the policy has none to close. */
  #makeRoom(): boolean {
    const victim = this.#policy.chooseVictim(this.#open.values())
    if (victim === undefined) return false
    const isGraceful = this.#policy.isGraceful === true && this.#open.size < 2 * this.#max
    if (isGraceful) this.#closeAfterReplies(victim)
    else this.#close(victim)
    return true
  }

  #closeAfterReplies(state: ConnectionState): void {
    const last = state.pending.at(-1)
    if (last === undefined || !hasInflightRequest(state)) this.#close(state)
    // Node adds `Connection: close` to the reply, and closes the connection after it.
    else last.shouldKeepAlive = false
  }

  #close({ socket }: ConnectionState): void {
    this.#open.delete(socket)
    socket.destroy()
  }
}

/** Identifies the TCP connection of a socket. */
function connectionKey({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress}|${localPort}|${remoteAddress}|${remotePort}`
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

/**
 * Returns whether this side owes the reply to a request that has arrived completely. A reply that is
 * written and that the caller does not read does not count.
 */
export function hasInflightRequest({ pending }: ConnectionState): boolean {
  const last = pending.at(-1)
  return last?.req.complete === true && !last.writableEnded
}
