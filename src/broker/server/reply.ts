/** Replies: how they are prepared, and the one place where they are written. Errors are in `error-reply.ts`. */
import { randomUUID } from 'node:crypto'
import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type {
  Dialect,
  Protocol,
  Reply,
  TokenAnswer,
  TokenQuery,
  WireRequest,
} from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { AccessToken, CacheRequest } from '../tokens/token.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** When the request came, on the clock of `performance.now()`; undefined if Fastify rejects it before any hook. */
    startedAt: number | undefined
    /** Undefined until a token request has been parsed. */
    asked: Asked | undefined
  }
}

/** The known facts of a token request: its parameters, its identity and its result. */
export interface Asked {
  readonly query: TokenQuery
  /** Undefined until the selector of the request is resolved. */
  request?: CacheRequest
  token?: AccessToken
}

export interface ReplyEvent {
  /** The name of a dialect, `document`, `pass-through` or `none`. */
  readonly protocol: Protocol
  readonly status: number
  /** The time from the request's headers to the reply, in milliseconds. */
  readonly durationMs: number
  readonly error?: BrokerError | undefined
  /** Undefined if the request asks for no token or cannot be parsed. */
  readonly asked?: Asked | undefined
  readonly headers: IncomingHttpHeaders
}

/** The real service's name; the newest clients look for `IMDS` in it. */
const SERVER = 'IMDS/150.870.65.1854'
const JSON_TYPE = 'application/json; charset=utf-8'

/** A reply in the form in which Node writes it. */
type PreparedReply = ReturnType<typeof prepareReply>

/** Adds the headers that every reply has, its length among them (R5). */
export function prepareReply({ status, headers, body }: Reply) {
  const length = Buffer.byteLength(body)
  return {
    status,
    head: { 'Content-Type': JSON_TYPE, Server: SERVER, 'Content-Length': length, ...headers },
    body,
  }
}

/** Creates the error of a request whose caller has hung up before the reply. */
export function createAbandonedError(): BrokerError {
  return new BrokerError(
    'request_abandoned',
    'the caller hung up before the reply',
    'let the caller wait longer; if it waited for Entra ID, find out why Entra ID is slow',
  )
}

/**
 * Writes the reply to the socket, and reports it to the pod. It bypasses Fastify's serialization, which would add a third to
 * the cost of a cached token. If the caller has hung up, it writes nothing and reports `request_abandoned`. It throws before it
 * writes if HTTP does not allow the status or a header; then Fastify's error handler replies.
 */
export function sendReply(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, head, body }: PreparedReply,
  { protocol, error }: Pick<ReplyEvent, 'protocol' | 'error'>,
  { onReply }: FastifyRequest['pod'] = request.pod,
): void {
  const abandoned = reply.raw.destroyed ? createAbandonedError() : undefined
  if (abandoned === undefined) {
    // Each reply has its own id, even if it was rendered for an earlier request.
    const sent = { ...head, 'x-ms-request-id': randomUUID() }
    // Without the reason phrase, Node would keep the phrase of an earlier reply that could not be written.
    reply.raw.writeHead(status, STATUS_CODES[status] ?? '', sent)
    reply.raw.end(body)
  }
  reply.hijack()
  const { startedAt, asked } = request
  onReply({
    protocol,
    error: abandoned ?? error,
    asked,
    status: abandoned?.status ?? status,
    durationMs: startedAt === undefined ? 0 : performance.now() - startedAt,
    headers: request.raw.headers,
  })
}

/** A reply, and everything that it was rendered from. */
interface Rendered extends Omit<TokenAnswer, 'query' | 'token'> {
  readonly dialect: Dialect
  readonly query: string
  readonly userAgent: string
  readonly reply: PreparedReply
}

/** The longest query and user agent, together, that are kept with a reply. Callers choose both. */
const MAX_KEPT = 1024

/**
 * Creates a renderer that remembers the last reply of each cached token. A request that is repeated within the same second gets
 * that reply, unless it has a body or is long. Rendering it each time would cost a cached request 12 % more CPU.
 */
export function memoizedRenderer() {
  const last = new WeakMap<AccessToken, Rendered>()

  return (dialect: Dialect, answer: TokenAnswer, request: WireRequest): PreparedReply => {
    const { token, identity, expiresIn, expiresOn } = answer
    const { query, body } = request
    const { 'user-agent': userAgent = '' } = request.headers
    if (body !== undefined || query.length + userAgent.length > MAX_KEPT) {
      return prepareReply(dialect.render(answer, request))
    }
    const cached = last.get(token)
    if (
      cached?.expiresIn === expiresIn &&
      cached.expiresOn === expiresOn &&
      cached.query === query &&
      cached.identity === identity &&
      cached.dialect === dialect &&
      cached.userAgent === userAgent
    ) {
      return cached.reply
    }
    const reply = prepareReply(dialect.render(answer, request))
    last.set(token, { dialect, identity, expiresIn, expiresOn, query, userAgent, reply })
    return reply
  }
}
