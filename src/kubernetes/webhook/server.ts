/** The webhook's two servers: reviews over TLS 1.3, and health and metrics in the clear. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Exposition } from '../../telemetry/prometheus.ts'
import { MalformedReview, type Reviewed } from './admission.ts'
import { reviewBodies, ReviewGivenUp } from './review-bodies.ts'

export interface ReviewEvent extends Pick<Reviewed, 'message' | 'subject'> {
  /** `overloaded`: it was given up, to make room for others. */
  readonly outcome: Reviewed['outcome'] | 'malformed' | 'overloaded'
  readonly durationMs: number
}

interface ReviewServerParts {
  readonly review: (body: unknown) => Promise<Reviewed>
  readonly onReview: (event: ReviewEvent) => void
  /** Told of a review that failed by a fault of wimds; its caller hears nothing of the cause. */
  readonly onFailure: (error: unknown) => void
  /** True once callers should come by another connection, and so to another replica. */
  readonly isEnding: () => boolean
  readonly watch: Watch
}

/** Has the server's requests answered by the handler, and keeps the number of its connections bounded. */
type Watch = (server: Server, handler: RequestListener) => void

/**
 * Together they fit into the memory that the chart gives, most of which is for what V8 makes of JSON: of
 * 3 MB it can make 70. A body in its first buffer is never given up: one of each connection fits.
 */
const BODY_LIMITS = {
  // The API server sends no more than this (its own limit for a request).
  maxBytes: 3 * 1024 * 1024,
  maxArrivingBytes: 8 * 1024 * 1024,
  maxDecidingBytes: 24 * 1024 * 1024,
}
const PATH = '/mutate'

/** Answers `POST /mutate`. It has no certificate yet: `setSecureContext` gives it one. */
export function reviewServer(parts: ReviewServerParts): TlsServer {
  const { review, onReview, onFailure, isEnding, watch } = parts
  const reviewed = reviewBodies(BODY_LIMITS)

  async function answer(request: IncomingMessage): Promise<Answer> {
    const path = request.url?.split('?', 1)[0]
    if (path !== PATH) return { status: 404, body: { error: `only ${PATH} is here` } }
    if (request.method !== 'POST') return { status: 405, body: { error: 'POST alone' } }
    const begin = performance.now()
    try {
      const { review: body, ...decision } = await reviewed(request, review)
      onReview({ ...decision, durationMs: performance.now() - begin })
      return { status: 200, body }
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      const { outcome, message, ...answered } = refusal
      onReview({ outcome, durationMs: performance.now() - begin, message })
      return { ...answered, body: { error: message } }
    }
  }
  const server = createTlsServer({ ...LIMITS, ...TLS_LIMITS })
  watch(server, (request, response) => {
    if (isEnding()) response.setHeader('Connection', 'close')
    answer(request).then(
      (answered) => send(response, answered),
      (error: unknown) => {
        // Nobody is there to be answered, and nothing went wrong here.
        if (request.destroyed && !request.complete) return
        onFailure(error)
        send(response, { status: 500, body: { error: 'wimds failed; its log has the cause' } })
      },
    )
  })
  // A caller that hangs up, or speaks no TLS, is no fault of ours.
  server.on('tlsClientError', () => {})
  return server
}

interface AdminParts {
  /** Why it is not ready; empty when it is. */
  readonly unready: () => readonly string[]
  readonly scrape: () => Promise<Exposition>
  readonly watch: Watch
}

/** Answers `/healthz`, `/readyz` and `/metrics`. */
export function webhookAdminServer({ unready, scrape, watch }: AdminParts): Server {
  const server = createServer(LIMITS)
  watch(server, ({ url }, response) => {
    const reasons = unready()
    if (url === '/healthz') send(response, { status: 200, body: { status: 'ok' } })
    else if (url === '/readyz') {
      const isReady = reasons.length === 0
      send(response, { status: isReady ? 200 : 503, body: { ready: isReady, reasons } })
    } else if (url === '/metrics') {
      scrape().then(
        ({ contentType, body }) =>
          response.writeHead(200, { 'Content-Type': contentType }).end(body),
        () => send(response, { status: 500, body: { error: 'the metrics cannot be written' } }),
      )
    } else send(response, { status: 404, body: { error: 'not found' } })
  })
  return server
}

function refusalOf(error: unknown) {
  if (error instanceof MalformedReview) {
    return { outcome: 'malformed', status: 400, message: error.message } as const
  }
  if (!(error instanceof ReviewGivenUp)) return undefined
  // Its connection ends: what still comes of it is not read.
  const headers = { 'Retry-After': '1', Connection: 'close' }
  return { outcome: 'overloaded', status: 503, headers, message: error.message } as const
}

const LIMITS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 75_000,
}
const TLS_LIMITS = { handshakeTimeout: 5000, minVersion: 'TLSv1.3' } as const

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  })
  response.end(text)
}
