/** Reads away what nobody wants to read, a little at a time, so that nobody else has to wait for it. */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/** No dialect and no document reads more. */
export const MAX_BODY_BYTES = 65_536

/**
 * Paces the body of a request that is answered without it: one with a method that has none, or one
 * that is too long. Left to itself, Node reads two megabytes of each connection before it looks at the
 * next one. It has to be read nevertheless: closing over unread bytes would take the reply with it.
 */
export function paceUnreadBody(request: IncomingMessage): void {
  if (isUnread(request)) readAway(request)
}

/** Reads to its end what nobody wants, a piece in each turn of the event loop. */
export function readAway(stream: Readable): void {
  stream.on('data', () => {
    stream.pause()
    setImmediate(() => stream.resume())
  })
}

function isUnread({ method, headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length'] ?? 0)
  if (length > MAX_BODY_BYTES) return true
  return method === 'GET' && headers['transfer-encoding'] !== undefined
}
