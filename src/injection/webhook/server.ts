/** The webhook's server for reviews, over TLS 1.3. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { errorMessage } from '../../lib/describe-error.ts'
import {
  type ChooseVictim,
  type Connection,
  CONNECTION_TIMEOUTS,
  ConnectionLimiter,
  findFirst,
  hasInflightRequest,
} from '../../service/connections.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { sendJson } from '../../service/send.ts'
import type { Logger } from '../../service/logger.ts'
import type { Decision, Review } from './admission.ts'
import type { CertificateMaterial } from './certificates.ts'
import { createReviewQueue, MalformedReview, Overloaded } from './review-queue.ts'

export interface ReviewEvent extends Omit<Decision, 'review'> {
  readonly durationMs: number
}

export interface ReviewServerParts {
  /** The review of each path, which decides on the pods that are posted to it. */
  readonly reviews: Readonly<Record<string, Review>>
  readonly onReview: (event: ReviewEvent) => void
  /** Logs pods that were not admitted, and unexpected errors with their cause, which the reply does not contain. */
  readonly log: Pick<Logger, 'warn'>
  /** Aborted at shutdown. From then on each reply closes its connection, so that callers connect to another replica. */
  readonly draining: AbortSignal
  /** If true, callers need a client certificate that a CA passed to `serveCertificate` has issued. */
  readonly requiresClientCertificate?: boolean
  readonly maxConnections?: number
}

/** An API server sends at most 200 reviews at the same time (its --max-mutating-requests-inflight). */
const MAX_CONNECTIONS = 256

/** Messages repeat text of callers. */
const MAX_LOGGED_MESSAGE = 500

/** Creates the server for the reviews. Its certificate and CAs are set later, by `serveCertificate`. */
export function createReviewServer(parts: ReviewServerParts): TlsServer {
  const { onReview, log, draining } = parts
  const { requiresClientCertificate = false, maxConnections = MAX_CONNECTIONS } = parts
  const reviews = new Map(Object.entries(parts.reviews))
  const receiveReview = createReviewQueue()

  async function handleReview(
    review: Review,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const startedAt = performance.now()
    const report = (event: Omit<ReviewEvent, 'durationMs'>) => {
      onReview({ ...event, durationMs: performance.now() - startedAt })
      const { outcome, message, subject } = event
      if (message === undefined) return
      const text = scrubAndTruncate(message, MAX_LOGGED_MESSAGE)
      log.warn('pod_rejected', { outcome, ...subject, message: text })
    }
    try {
      const { read, reply } = await receiveReview(request, response)
      const { review: body, ...decision } = await review(read)
      report(decision)
      reply(JSON.stringify(body))
    } catch (error) {
      // The caller has closed its connection.
      if (response.closed) return
      if (error instanceof MalformedReview) {
        report({ outcome: 'malformed', message: error.message })
        sendJson(response, 400, { error: error.message })
      } else if (error instanceof Overloaded) {
        report({ outcome: 'overloaded', message: error.message })
        // The connection is closed, since the rest of the body may not have arrived.
        response.setHeader('Retry-After', '1').setHeader('Connection', 'close')
        sendJson(response, 503, { error: error.message })
      } else {
        report({ outcome: 'error' })
        log.warn('webhook_error', { message: errorMessage(error) })
        sendJson(response, 500, { error: 'unexpected error; the log of the webhook has the cause' })
      }
    }
  }

  const clientAuth = { requestCert: requiresClientCertificate, rejectUnauthorized: true }
  const server = createTlsServer({ ...CONNECTION_TIMEOUTS, ...TLS_LIMITS, ...clientAuth })
  limitConnections(server, maxConnections, (request, response) => {
    if (draining.aborted) response.setHeader('Connection', 'close')
    const review = reviews.get(request.url?.split('?', 1)[0] ?? '')
    if (review === undefined) {
      sendJson(response, 404, { error: `the paths are ${[...reviews.keys()].join(' and ')}` })
    } else if (request.method !== 'POST') {
      sendJson(response, 405, { error: 'the method must be POST' })
    } else void handleReview(review, request, response)
  })
  // Callers that hang up, or do not use TLS, are no error of the webhook.
  server.on('tlsClientError', () => {})
  return server
}

/**
 * Passes the server's requests to the handler, and limits its connections. A new connection above `max` closes the one with the
 * most replies, after its current reply. Above twice `max`, it closes that connection at once. Connections are not counted by peer,
 * since all of them may come from one proxy.
 */
function limitConnections(server: TlsServer, max: number, handler: RequestListener): void {
  const limiter = new ConnectionLimiter(2 * max, chooseByWork)
  /** The TCP sockets by their addresses. The TLS socket, which a request has, does not exist yet when a connection is accepted. */
  const accepted = new Map<string, Socket>()
  // Added before the listener of the limiter, so that `open` does not contain the new connection yet.
  server.on('connection', (socket: Socket) => {
    const { open } = limiter
    const victim = open.length >= max && open.length < 2 * max ? chooseByWork(open) : undefined
    if (victim !== undefined) limiter.closeAfterReply(victim)
    const key = createKey(socket)
    accepted.set(key, socket)
    socket.once('close', () => {
      if (accepted.get(key) === socket) accepted.delete(key)
    })
  })
  limiter.attach(server, handler, (socket) => accepted.get(createKey(socket)) ?? socket)
}

/** Chooses the connection to close: the one with the most replies. A connection that closes after its reply anyway comes last. */
const chooseByWork: ChooseVictim = (open) =>
  findFirst(
    open,
    (one, other) =>
      Number(isEnding(one)) - Number(isEnding(other)) ||
      other.replies - one.replies ||
      one.idleSince - other.idleSince,
  )

/** Returns true if the connection closes after the reply for which it waits. */
function isEnding(connection: Connection): boolean {
  return hasInflightRequest(connection) && connection.pending.at(-1)?.shouldKeepAlive === false
}

/** Identifies the connection of a socket. */
function createKey({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress}|${remoteAddress}|${remotePort}`
}

const MIN_VERSION = { minVersion: 'TLSv1.3' } as const
const TLS_LIMITS = { handshakeTimeout: 5000, ...MIN_VERSION }

/** Sets the certificate of new connections, and the CAs (PEM) of client certificates where they are required. */
export function serveCertificate(
  server: TlsServer,
  { certPem: cert, keyPem: key }: Pick<CertificateMaterial, 'certPem' | 'keyPem'>,
  clientCa?: string,
): void {
  server.setSecureContext({ cert, key, ca: clientCa, ...MIN_VERSION })
}
