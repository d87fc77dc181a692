/** A request as dialects and documents see it, and its reply on the way out. */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WireRequest } from '../dialects/dialect.ts'
import type { BrokerError } from '../errors.ts'
import type { AccessToken, TokenRequest } from '../tokens/token.ts'
import { type PreparedReply, write } from './replies.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** On the clock of `performance.now()`; 0 for a request that Fastify rejects before any hook. */
    startedAt: number
  }
}

/** A token, and the request that it answers. */
export interface ServedToken {
  readonly request: TokenRequest
  readonly token: AccessToken
}

/** One request answered. */
export interface ReplyEvent {
  /** The dialect's name, `document`, `pass-through` or `none`. */
  readonly dialect: string
  readonly status: number
  /** From the request's headers to the reply, in milliseconds. */
  readonly durationMs: number
  readonly error?: BrokerError | undefined
  /** The token in the reply; absent if there is none. */
  readonly served?: ServedToken | undefined
  /** The request's: who calls can be read from them. */
  readonly headers: IncomingHttpHeaders
}

/** What Fastify has read, in the words of the dialects. */
export function wireRequest({ method, headers, originalUrl, body }: FastifyRequest): WireRequest {
  const at = originalUrl.indexOf('?')
  const query = at < 0 ? '' : originalUrl.slice(at + 1)
  return { method, headers, query, body: typeof body === 'string' ? body : undefined }
}

/**
 * Writes the reply past Fastify, and tells of it. Throws what `write` does, and the reply is still
 * Fastify's then, whose error handler makes another one.
 */
export function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: PreparedReply,
  { onReply }: { readonly onReply: (event: ReplyEvent) => void },
  { dialect, error, served }: { dialect: string; error?: BrokerError; served?: ServedToken },
): void {
  write(reply.raw, answer)
  reply.hijack()
  onReply({
    dialect,
    status: answer.status,
    durationMs: request.startedAt === 0 ? 0 : performance.now() - request.startedAt,
    error,
    served,
    headers: request.raw.headers,
  })
}
