/** The server of health and metrics, of the webhook and of the node agent, and how both answer. */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { CONNECTION_TIMEOUTS } from '../server/listen.ts'
import { shareScrapes } from '../server/share-scrapes.ts'
import type { Exposition } from '../telemetry/prometheus.ts'

/** Attaches the handler to the server's requests, and limits the number of its connections. */
export type WatchConnections = (server: Server, handler: RequestListener) => void

interface AdminServerParts {
  /** Returns why it is not ready; empty if it is. */
  readonly unreadyReasons: () => readonly string[]
  readonly scrape: () => Promise<Exposition>
  readonly watch: WatchConnections
}

/** Creates the server for `/healthz`, `/readyz` and `/metrics`. */
export function createAdminServer({ unreadyReasons, scrape, watch }: AdminServerParts): Server {
  const sharedScrape = shareScrapes(scrape)
  const server = createServer(CONNECTION_TIMEOUTS)
  watch(server, ({ url }, response) => {
    const reasons = unreadyReasons()
    const ready = reasons.length === 0
    if (url === '/healthz') sendJson(response, 200, { status: 'ok' })
    else if (url === '/readyz') sendJson(response, ready ? 200 : 503, { ready, reasons })
    else if (url === '/metrics') {
      sharedScrape().then(
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
