/**
 * Caps that keep room for everybody: on connections, of which the longest-idle one is closed, and on
 * the requests of one connection that are being answered.
 */
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The connections of one or more servers, counted together. */
export interface Connections {
  /** Applies the caps to the server and has the handler answer it. Call it before it listens. */
  readonly watch: (server: Server, handler: RequestListener) => void
  /** The replies that a connection still waits for, in the order of their requests. */
  readonly pending: (connection: Duplex) => readonly ServerResponse[]
  /** Closes each as soon as it waits for no reply. */
  readonly drain: () => void
}

/** Begins to answer the request that a response is for. */
type Answer = (response: ServerResponse) => void

/** What is known of one connection. */
interface Caller {
  /**
   * Replies that are owed, in the order of their requests, those in line included. An array, since a
   * Set that is filled and emptied for each request leaves tables behind that outlive it.
   */
  readonly pending: ServerResponse[]
  /** When its last reply went, or it was opened, counted in such events. */
  quietSince: number
  /** Replies whose requests wait for those before them to be answered. */
  readonly line: Set<ServerResponse>
}

/**
 * Requests of one connection that are answered at the same time. No SDK sends a second one before the
 * reply to the first; this is less than the exchanges that may run at the same time by default.
 */
const MAX_AT_ONCE = 16

/**
 * Keeps at most `max` connections open on the servers it watches, all of them together. At the cap
 * the connection that has been idle for the longest is closed; one whose request is still arriving
 * counts as idle, and one whose caller has ended its side goes first. Only if every connection is being answered is the new one refused.
 */
export function connections(max: number): Connections {
  const open = new Map<Duplex, Caller>()
  let events = 0

  function opened(socket: Socket): void {
    if (open.size >= max && !closeLongestIdle()) {
      socket.destroy()
      return
    }
    events += 1
    hold(socket, { pending: [], quietSince: events, line: new Set() })
  }

  function hold(socket: Socket, caller: Caller): void {
    open.set(socket, caller)
    socket.once('close', () => open.delete(socket))
    // Node resumes by itself after each request that it has read.
    socket.on('resume', () => {
      if (caller.line.size > 0) socket.pause()
    })
  }

  /** Requests know the encrypted socket alone, which stands for its connection from the handshake's end. */
  function holdEncrypted(server: Server): void {
    const accepted = new Map<string, Socket>()
    server.on('connection', (socket: Socket) => {
      const ends = endsOf(socket)
      accepted.set(ends, socket)
      socket.once('close', () => {
        if (accepted.get(ends) === socket) accepted.delete(ends)
      })
    })
    server.on('secureConnection', (encrypted: Socket) => {
      const socket = accepted.get(endsOf(encrypted))
      const caller = socket === undefined ? undefined : open.get(socket)
      if (socket === undefined || caller === undefined) {
        // Closed for another one, or by its caller, in the meantime.
        encrypted.destroy()
        return
      }
      open.delete(socket)
      hold(encrypted, caller)
    })
  }

  function closeLongestIdle(): boolean {
    let longest: [socket: Duplex, quietSince: number] | undefined
    for (const [socket, caller] of open) {
      // Whoever has ended its side may still read, but has most likely gone.
      const quietSince = socket.readableEnded ? 0 : caller.quietSince
      if (longest !== undefined && longest[1] < quietSince) continue
      if (socket.readableEnded || !isBeingAnswered(caller)) longest = [socket, quietSince]
    }
    if (longest === undefined) return false
    open.delete(longest[0])
    longest[0].destroy()
    return true
  }

  /** Has a request answered now or when its turn comes. */
  function requested(response: ServerResponse, answer: Answer): void {
    const { socket } = response.req
    const caller = open.get(socket)
    if (caller === undefined) return
    const { pending, line } = caller
    const isFull = pending.length - line.size >= MAX_AT_ONCE
    pending.push(response)
    if (isFull) {
      line.add(response)
      socket.pause()
    } else answer(response)
  }

  function replied(response: ServerResponse, answer: Answer): void {
    const { socket } = response.req
    const caller = open.get(socket)
    if (caller === undefined) return
    const { pending, line } = caller
    pending.splice(pending.indexOf(response), 1)
    line.delete(response)
    events += 1
    caller.quietSince = events
    if (!socket.destroyed) nextInLine(socket, line, answer)
  }

  function drain(): void {
    for (const [socket, caller] of open) {
      const last = caller.pending.at(-1)
      if (last === undefined || !isBeingAnswered(caller)) socket.destroy()
      // Its reply tells the caller not to ask again on this connection, and Node closes it then.
      else last.shouldKeepAlive = false
    }
  }

  return {
    watch: (server, handler) => {
      server.on('connection', opened)
      if ('setSecureContext' in server) holdEncrypted(server)
      const answer: Answer = (response) => handler(response.req, response)
      // One listener for the replies of all requests: closures of each request's own would cost more
      // than the rest of this.
      const onClose = function (this: ServerResponse) {
        replied(this, answer)
      }
      server.on('request', (_request, response: ServerResponse) => {
        response.on('close', onClose)
        requested(response, answer)
      })
    },
    pending: (connection) => [...(open.get(connection)?.pending ?? [])],
    drain,
  }
}

/** What tells a connection of this moment from all others. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}

function nextInLine(socket: Socket, line: Caller['line'], answer: Answer): void {
  if (line.size === 0) return
  const [first] = line
  if (first === undefined) return
  line.delete(first)
  if (line.size === 0) socket.resume()
  answer(first)
}

/**
 * Whether this side still owes a reply to a request that has come whole. A reply that is written
 * and that the caller does not read is the caller's affair, as is what waits in line behind it.
 */
function isBeingAnswered({ pending, line }: Caller): boolean {
  for (const response of pending) {
    if (response.req.complete && !response.writableEnded && !line.has(response)) return true
  }
  return false
}
