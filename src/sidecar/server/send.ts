/** Answers of the servers that do not use Fastify. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, JSON_HEADERS, JSON.stringify(body))
}

/** Answers with a text. */
export function sendText(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  text: string,
): void {
  writeHead(response, status, headers, text)
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

/** Writes the head of an answer with a text, which the caller sends. */
export function writeHead(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  text: string,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) })
}

export const JSON_HEADERS = { 'Content-Type': 'application/json' }
