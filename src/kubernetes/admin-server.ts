/** The server of health and metrics, of the webhook and of the node agent, and how both answer. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createConnectionLimiter } from '../server/connections.ts'
import { CONNECTION_TIMEOUTS, MAX_ADMIN_CONNECTIONS } from '../server/listen.ts'
import { shareScrapes } from '../server/share-scrapes.ts'
import type { Exposition } from '../telemetry/prometheus.ts'

interface AdminServerParts {
  /** Returns why it is not ready; empty if it is. */
  readonly unreadyReasons: () => readonly string[]
  readonly scrape: () => Promise<Exposition>
  readonly maxConnections?: number
}

/** Creates the server for `/healthz`, `/readyz` and `/metrics`. */
export function createAdminServer(parts: AdminServerParts): Server {
  const { unreadyReasons, maxConnections = MAX_ADMIN_CONNECTIONS } = parts
  const scrape = shareScrapes(parts.scrape)
  const server = createServer(CONNECTION_TIMEOUTS)
  createConnectionLimiter(maxConnections).attach(server, ({ url }, response) => {
    const path = url?.split('?', 1)[0]
    const reasons = unreadyReasons()
    const ready = reasons.length === 0
    if (path === '/healthz') sendJson(response, 200, { status: 'ok' })
    else if (path === '/readyz') sendJson(response, ready ? 200 : 503, { ready, reasons })
    else if (path === '/metrics') {
      scrape().then(
        ({ contentType, body }) =>
          response.writeHead(200, { 'Content-Type': contentType }).end(body),
        () => sendJson(response, 500, { error: 'the metrics could not be collected' }),
      )
    } else sendJson(response, 404, { error: NOT_FOUND })
  })
  return server
}

const NOT_FOUND = 'there is no such path here. Paths: /healthz, /readyz, /metrics'

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  writeHead(response, status, text)
  response.end(text)
}

/** Writes the head of an answer that is JSON. */
export function writeHead(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  })
}
