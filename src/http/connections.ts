/** A cap on connections that closes the longest-idle one, so that a new caller always gets in. */
import type { Server, ServerResponse, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Keeps at most `max` connections open on the servers it is applied to, all of them together. At
 * the cap the connection that has been idle for the longest is closed; one whose request is still
 * arriving counts as idle. Only if every connection is being answered is the new one refused.
 */
export function connectionCap(max: number): (server: Server) => void {
  let open = 0
  // A Set remembers the order of insertion: the first is the longest-idle.
  const idle = new Set<Socket>()

  function opened(socket: Socket): void {
    if (open >= max && !closeLongestIdle()) {
      socket.destroy()
      return
    }
    open += 1
    idle.add(socket)
    socket.once('close', () => {
      // A victim has been counted out already.
      if (!victims.delete(socket)) open -= 1
      idle.delete(socket)
    })
  }

  const victims = new WeakSet<Socket>()

  function closeLongestIdle(): boolean {
    const [longest] = idle
    if (longest === undefined) return false
    idle.delete(longest)
    victims.add(longest)
    open -= 1
    longest.destroy()
    return true
  }

  function requested({ socket }: IncomingMessage, response: ServerResponse): void {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
    })
  }

  return (server) => {
    server.on('connection', opened)
    server.on('request', requested)
  }
}
