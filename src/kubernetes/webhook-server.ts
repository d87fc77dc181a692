/** The webhook's two servers: reviews over TLS 1.3, and health and metrics in the clear. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Exposition } from '../telemetry/exposition.ts'
import { MalformedReview, type Reviewed } from './admission.ts'

export interface ReviewEvent extends Pick<Reviewed, 'message' | 'subject'> {
  readonly outcome: Reviewed['outcome'] | 'malformed'
  readonly durationMs: number
}

interface ReviewServerParts {
  readonly review: (body: unknown) => Promise<Reviewed>
  readonly onReview: (event: ReviewEvent) => void
  /** Told of a review that failed by a fault of wimds; its caller hears nothing of the cause. */
  readonly onFailure: (error: unknown) => void
  /** True once callers should come by another connection, and so to another replica. */
  readonly isEnding: () => boolean
}

/** The API server sends no more than this (its own limit for a request). */
const MAX_BODY_BYTES = 3 * 1024 * 1024
const PATH = '/mutate'

/** Answers `POST /mutate`. It has no certificate yet: `setSecureContext` gives it one. */
export function reviewServer(parts: ReviewServerParts): TlsServer {
  const { review, onReview, onFailure, isEnding } = parts

  async function answer(request: IncomingMessage): Promise<Answer> {
    const path = request.url?.split('?', 1)[0]
    if (path !== PATH) return { status: 404, body: { error: `only ${PATH} is here` } }
    if (request.method !== 'POST') return { status: 405, body: { error: 'POST alone' } }
    const begin = performance.now()
    try {
      const { review: body, ...decision } = await review(await jsonOf(request))
      onReview({ ...decision, durationMs: performance.now() - begin })
      return { status: 200, body }
    } catch (error) {
      if (!(error instanceof MalformedReview)) throw error
      const { message } = error
      onReview({ outcome: 'malformed', durationMs: performance.now() - begin, message })
      return { status: 400, body: { error: message } }
    }
  }
  const server = createTlsServer({ minVersion: 'TLSv1.3', ...LIMITS }, (request, response) => {
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
}

/** Answers `/healthz`, `/readyz` and `/metrics`. */
export function webhookAdminServer({ unready, scrape }: AdminParts) {
  return createServer(LIMITS, ({ url }, response) => {
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
}

const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 75_000 }

interface Answer {
  readonly status: number
  readonly body: object
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  })
  response.end(text)
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    size += chunk.length
    // Read on, though not kept: what is left unread would hold back the connection's next request.
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (size > MAX_BODY_BYTES) throw new MalformedReview('the review is too large')
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return parsed
  } catch {
    throw new MalformedReview('the body is not JSON')
  }
}
