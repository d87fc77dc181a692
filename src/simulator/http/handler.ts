/** The shapes every simulated server shares: a pure HTTP handler, and what only a socket can do. */

/** A server without a port: WHATWG request in, WHATWG response out. */
export type Handler = (request: Request) => Promise<Response>

/** What no HTTP response can express; the port adapter and the dispatcher carry it out. */
export interface SocketFault {
  /** `hang`: the request is read and never answered. `reset`: the connection is reset (TCP RST). */
  readonly socket: 'hang' | 'reset'
}

/** A handler that may also ask for a socket fault. Every {@link Handler} is one. */
export type Server = (request: Request) => Promise<Response | SocketFault>

/** True for what is no response. */
export const isSocketFault = (reply: Response | SocketFault): reply is SocketFault =>
  'socket' in reply

/** A JSON response; `content-length` is known, as the real services send it. */
export function jsonResponse(
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
