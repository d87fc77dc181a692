/** The HTTP handler of a simulated server, and its JSON responses. */

/**
 * A server without a port: takes a WHATWG request and returns a WHATWG response. If it rejects, the connection is reset. Until
 * it settles, the connection hangs.
 */
export type Handler = (request: Request) => Promise<Response>

/** Creates a JSON response with a `content-length`, as the real services send it. */
export function createJsonResponse(
  status: number,
  body: unknown,
  more?: ResponseInit['headers'],
): Response {
  const text = JSON.stringify(body)
  const headers = new Headers(more)
  headers.set('content-type', 'application/json; charset=utf-8')
  headers.set('content-length', String(Buffer.byteLength(text)))
  return new Response(text, { status, headers })
}
