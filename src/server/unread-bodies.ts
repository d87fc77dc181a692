/** Leaves what nobody wants to read with its sender, and lets that read why all the same. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** No dialect and no document reads more. */
export const MAX_BODY_BYTES = 65_536

/** How long a caller that is still sending has for reading its reply. */
const LINGER_MS = 1000

/**
 * Makes the reply to a request whose body can be longer than anybody reads the last of its connection,
 * and leaves unread what has not come by then. Left to itself, Node reads bodies to their end: two
 * hundred of a megabyte, each second, cost 90 MB and make a new caller wait for a tenth of a second.
 */
export function leaveUnread(request: IncomingMessage, response: ServerResponse): void {
  if (!canBeTooLong(request)) return
  const { socket } = request
  response.shouldKeepAlive = false
  // Node calls it after such a reply, and would close at once.
  const close = socket.destroySoon.bind(socket)
  socket.destroySoon = () => {
    if (request.complete) close()
    else linger(socket)
  }
}

/**
 * Ends a connection after what has been written to it, without reading what still comes. It is not
 * closed at once, since closing over unread bytes would take the reply with it (RFC 9112 section 9.6).
 */
export function linger(socket: Duplex): void {
  socket.end()
  // Node resumes by itself after each request.
  socket.on('resume', () => socket.pause())
  socket.pause()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

function canBeTooLong({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES
}
