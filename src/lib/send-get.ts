/** Sends GET requests to servers on this machine, and to servers that a user names. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { readBody } from './read-body.ts'

export interface GetOptions {
  /** Time limit of the whole request. */
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
  readonly maxBytes?: number
  /** `get` of `node:https` for a server with TLS. */
  readonly send?: typeof get | undefined
}

const MAX_BODY_BYTES = 65_536

/**
 * Sends a GET on a new connection, without a proxy. Redirects are not followed. Throws the error of `node:http` or a
 * `TimeoutError`. Also throws for an upgrade, and for a body that is too long or incomplete.
 */
export async function sendGet(
  url: string,
  { timeoutMs, headers = {}, maxBytes = MAX_BODY_BYTES, send = get }: GetOptions,
) {
  const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
  // Avoids the global agent, which may use a proxy (NODE_USE_ENV_PROXY).
  const request = send(url, { headers, agent: false, signal })
  // After the response has begun, the code that reads its body reports the error.
  request.on('error', () => {})
  // Without a listener Node destroys an upgraded connection silently.
  request.on('upgrade', (_, socket) => {
    socket.destroy()
    request.emit('error', new Error('an upgrade'))
  })
  try {
    const [response]: IncomingMessage[] = await once(request, 'response', { signal })
    if (response === undefined) throw new Error('no response')
    // Node takes a body without a length as complete even if the connection was reset.
    let failure: Error | undefined
    request.once('error', (error) => {
      if (!response.complete) failure = error
    })
    const createError = () => new Error(`more than ${maxBytes} bytes`)
    const body = await readBody(response.iterator(), maxBytes, createError)
    if (failure !== undefined) throw failure
    return { status: response.statusCode ?? 0, headers: response.headers, body }
  } catch (error) {
    // The request's own error says only that it was aborted.
    throw signal.aborted ? signal.reason : error
  } finally {
    request.destroy()
  }
}
