/** The types that every simulated server shares: a pure HTTP handler, and socket faults. */

/** A server without a port: a WHATWG request in, a WHATWG response out. */
export type Handler = (request: Request) => Promise<Response>

/** A fault that no HTTP response can express. `serve` and the dispatcher carry it out. */
export interface SocketFault {
  /** `hang`: the request is read and never answered. `reset`: the connection is reset (TCP RST). */
  readonly socket: 'hang' | 'reset'
}

/** A handler that may also return a socket fault. Every {@link Handler} is one. */
export type Server = (request: Request) => Promise<Response | SocketFault>

/** Returns true for a socket fault, false for a response. */
export const isSocketFault = (reply: Response | SocketFault): reply is SocketFault =>
  'socket' in reply

/** Creates a JSON response with a `content-length`, as the real services send it. */
export function createJsonResponse(
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): Response {
  const text = JSON.stringify(body)
  return new Response(text, {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(text)),
      ...headers,
    },
  })
}
