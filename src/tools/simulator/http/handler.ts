/** What every simulated server shares: a pure HTTP handler, and its JSON responses. */

/**
 * A server without a port: a WHATWG request in, a WHATWG response out. If it rejects, its connection is reset; while it
 * does not settle, its connection hangs.
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
