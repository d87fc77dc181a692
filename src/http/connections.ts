/** A cap on connections that closes the longest-idle one, so that a new caller always gets in. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The connections of one or more servers, counted together. */
export interface Connections {
  /** Counts the server's connections and applies the cap to them. Call it before it listens. */
  readonly watch: (server: Server) => void
  /** The replies that a connection still waits for, in the order of their requests. */
  readonly pending: (connection: Duplex) => readonly ServerResponse[]
  /** Closes each as soon as it waits for no reply. */
  readonly drain: () => void
}

/**
 * Keeps at most `max` connections open on the servers it watches, all of them together. At the cap
 * the connection that has been idle for the longest is closed; one whose request is still arriving
 * counts as idle. Only if every connection is being answered is the new one refused.
 */
export function connections(max: number): Connections {
  // A Map remembers the order of insertion: the first is the longest without a reply.
  const open = new Map<Duplex, Set<ServerResponse>>()

  function opened(socket: Socket): void {
    if (open.size >= max && !closeLongestIdle()) {
      socket.destroy()
      return
    }
    open.set(socket, new Set())
    socket.once('close', () => open.delete(socket))
  }

  function closeLongestIdle(): boolean {
    for (const [socket, pending] of open) {
      if (isBeingAnswered(pending)) continue
      open.delete(socket)
      socket.destroy()
      return true
    }
    return false
  }

  function requested({ socket }: IncomingMessage, response: ServerResponse): void {
    const pending = open.get(socket)
    if (pending === undefined) return
    pending.add(response)
    response.once('close', () => {
      pending.delete(response)
      // To the end of the order, unless it has been closed meanwhile.
      if (open.delete(socket)) open.set(socket, pending)
    })
  }

  function drain(): void {
    for (const [socket, pending] of open) {
      const last = [...pending].at(-1)
      if (last === undefined || !isBeingAnswered(pending)) socket.destroy()
      // Its reply tells the caller not to ask again on this connection, and Node closes it then.
      else last.shouldKeepAlive = false
    }
  }

  return {
    watch: (server) => {
      // Under TLS requests know the socket that is encrypted, which begins with the handshake's end.
      server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', opened)
      server.on('request', requested)
    },
    pending: (connection) => [...(open.get(connection) ?? [])],
    drain,
  }
}

/**
 * Whether this side still owes a reply to a request that has come whole. A reply that is written
 * and that the caller does not read is the caller's affair.
 */
function isBeingAnswered(pending: ReadonlySet<ServerResponse>): boolean {
  for (const response of pending) {
    if (response.req.complete && !response.writableEnded) return true
  }
  return false
}
