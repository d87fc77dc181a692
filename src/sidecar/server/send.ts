/** Answers of the servers that do not use Fastify. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, { 'Content-Type': 'application/json' }, JSON.stringify(body))
}

/** Answers with a text. */
export function sendText(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  text: string,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}

/** Answers with a page of HTML. */
export function sendPage(
  response: ServerResponse,
  { headers, body }: { readonly headers: OutgoingHttpHeaders; readonly body: string },
): void {
  sendText(response, 200, headers, body)
}

/** Redirects to the status page. */
export function redirectToStatus(_request: unknown, response: ServerResponse): void {
  sendText(response, 302, { Location: '/status' }, '')
}
