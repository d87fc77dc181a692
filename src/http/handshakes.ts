/** Bounds the TLS handshakes that are under way: each takes up to 45 kB, and costs its caller next to nothing. */
import type { Server } from 'node:https'
import type { Socket } from 'node:net'

/**
 * Closes the oldest unfinished handshake when another would be one too many: a caller who means it needs
 * milliseconds, so those that others leave unfinished are older than its own. Call it before it listens.
 */
export function boundHandshakes(server: Server, max: number): void {
  const unfinished = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const caller = callerOf(socket)
    const [oldest] = unfinished.values()
    if (unfinished.size >= max) oldest?.destroy()
    unfinished.set(caller, socket)
    socket.once('close', () => {
      if (unfinished.get(caller) === socket) unfinished.delete(caller)
    })
  })
  server.on('secureConnection', (socket) => unfinished.delete(callerOf(socket)))
}

/** The same before and after the handshake, which has sockets of its own for the two. */
const callerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`
