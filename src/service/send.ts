/** Answers of the servers that do not use Fastify. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, { 'Content-Type': 'application/json' }, JSON.stringify(body))
}

export function sendText(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  text: string,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}

/** Returns the first value of a parameter in the query of a request. */
export function findParameter({ url = '/' }: IncomingMessage, name: string): string | undefined {
  return new URL(url, 'http://localhost').searchParams.get(name) ?? undefined
}

/** Answers with a page of HTML, which the browser reloads every ten seconds if the query has `refresh`. */
export function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  { headers, body }: { readonly headers: OutgoingHttpHeaders; readonly body: string },
): void {
  const isReloaded = findParameter(request, 'refresh') !== undefined
  sendText(response, 200, { ...headers, ...(isReloaded && { Refresh: '10' }) }, body)
}

export function redirectToStatus(_request: unknown, response: ServerResponse): void {
  sendText(response, 302, { Location: '/status' }, '')
}
