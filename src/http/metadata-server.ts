/** The server that applications talk to: guard, then a dialect or a document, then the reply. */
import type { IncomingHttpHeaders } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Dialect, Reply, TokenQuery, WireRequest } from '../dialects/dialect.ts'
import { BrokerError, toBrokerError } from '../errors.ts'
import { type Identity, type IdentityResolver, requireAllowed } from '../identities.ts'
import type { MetadataDocument } from '../metadata/documents.ts'
import type { PassThrough } from '../metadata/pass-through.ts'
import type { Clock } from '../tokens/clock.ts'
import { expiry } from '../tokens/lifetime.ts'
import { scopeOf, type TokenRequest, type TokenSource } from '../tokens/token.ts'
import type { Guard } from './guard.ts'
import { errorReply, prepare, type PreparedReply, rendering, write } from './replies.ts'
import { correlationIdOf } from './trace-context.ts'
import { MAX_BODY_BYTES } from './unread-bodies.ts'

/** What the server is put together from. */
export interface MetadataParts {
  readonly guard: Guard
  readonly dialects: readonly Dialect[]
  readonly documents: readonly MetadataDocument[]
  readonly renderDocumentError: (error: BrokerError) => Reply
  readonly resolve: IdentityResolver
  readonly tokens: TokenSource
  readonly clock: Clock
  readonly isReady: () => boolean
  /** What nothing here answers may go on to the real service; undefined: nothing does. */
  readonly passThrough?: PassThrough
  /** Told of each reply; `error` when it was one. */
  readonly onReply: (event: ReplyEvent) => void
}

/** One request answered. */
export interface ReplyEvent {
  /** The dialect's name, `document`, `pass-through` or `none`. */
  readonly dialect: string
  readonly status: number
  readonly error?: BrokerError | undefined
  /** The request's: who calls can be read from them. */
  readonly headers: IncomingHttpHeaders
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The protocols at this path; none for a document. */
    readonly dialects?: readonly Dialect[]
  }
}

const ALL_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']

/** The application, apart from any port: for `listen` and for `inject`. */
export function metadataServer(parts: MetadataParts): FastifyInstance {
  const [first] = parts.dialects
  const renderUnrouted = first?.renderError ?? parts.renderDocumentError
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      // Each dialect reads the query by its own rules.
      querystringParser: () => ({}),
    },
    frameworkErrors: (_error, request, reply) => {
      const refusal = new BrokerError('path_confused', 'The path is ambiguous')
      send(request, reply, prepare(renderUnrouted(refusal)), parts, {
        dialect: 'none',
        error: refusal,
      })
    },
  })

  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.url !== READY_PATH) {
      const { method, headers, originalUrl: url, raw } = request
      const { rawHeaders, httpVersion } = raw
      parts.guard({ method, headers, url, rawHeaders, httpVersion })
    }
    // What a client calls its form says nothing: some send no type and some a wrong one (R18).
    delete request.headers['content-type']
    done()
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.setErrorHandler((thrown, request, reply) => {
    const error = fastifyError(thrown) ?? toBrokerError(thrown)
    const { config, url } = request.routeOptions
    const dialect = config.dialects && spoken(config.dialects, wireRequest(request))
    const name = dialect?.name ?? (url === undefined ? 'none' : 'document')
    const render =
      dialect?.renderError ?? (url === undefined ? renderUnrouted : parts.renderDocumentError)
    const answer = errorReply(render(error), error, dialect?.methods ?? ['GET'])
    send(request, reply, prepare(answer), parts, { dialect: name, error })
  })

  app.setNotFoundHandler(async (request, reply) => {
    const { method, headers, originalUrl: url } = request
    const answer = await parts.passThrough?.forward({ method, headers, url })
    if (answer === undefined) throw new BrokerError('not_found', 'Not found')
    send(request, reply, prepare(answer), parts, { dialect: 'pass-through' })
  })

  app.get(READY_PATH, (request, reply) => {
    const isReady = parts.isReady()
    const answer = { status: isReady ? 200 : 503, body: JSON.stringify({ ready: isReady }) }
    send(request, reply, prepare(answer), parts, { dialect: 'none' })
  })

  for (const [path, dialects] of Map.groupBy(parts.dialects, (dialect) => dialect.path)) {
    addDialects(app, path, dialects, parts)
  }
  for (const document of parts.documents) {
    if (parts.passThrough?.allows(document.path) !== true) addDocument(app, document, parts)
  }
  return app
}

/** Where the incumbent proxy answers its probes, on the same port. */
const READY_PATH = '/readyz'

function addDialects(
  app: FastifyInstance,
  url: string,
  dialects: readonly Dialect[],
  parts: MetadataParts,
): void {
  const { resolve, tokens, clock } = parts
  const render = rendering()
  const wishFor = wishing()
  app.route({
    method: ALL_METHODS,
    url,
    config: { dialects },
    handler: async (request, reply) => {
      const wire = wireRequest(request)
      const dialect = spoken(dialects, wire)
      if (!allows(dialect, request.method)) {
        throw new BrokerError('method_not_allowed', `${request.method} is not allowed here`)
      }
      const challenge = dialect.challenge && (await dialect.challenge(wire))
      if (challenge !== undefined) {
        send(request, reply, prepare(challenge), parts, { dialect: dialect.name })
        return
      }
      const query = dialect.parse(wire)
      const identity = resolve(query.selector)
      requireAllowed(identity, query.resource)
      const wish = wishFor(query, identity)
      const correlationId = correlationIdOf(request.headers['traceparent'])
      const token = await tokens(correlationId === undefined ? wish : { ...wish, correlationId })
      const { expiresIn, expiresOn } = expiry(token, clock)
      const answer = { query, identity, token, expiresIn, expiresOn }
      send(request, reply, render(dialect, answer, wire), parts, { dialect: dialect.name })
    },
  })
}

/**
 * Puts queries into the broker's words. The same query for the same identity is the same wish, so that
 * the cache finds its key at once (`cacheKey`).
 */
function wishing(): (query: TokenQuery, identity: Identity) => TokenRequest {
  const last = new WeakMap<TokenQuery, TokenRequest>()
  return (query, identity) => {
    const held = last.get(query)
    if (held?.identity === identity) return held
    const { selector: _selector, resource, ...wishes } = query
    const wish = { identity, scope: scopeOf(resource), ...wishes }
    last.set(query, wish)
    return wish
  }
}

function allows({ methods }: Dialect, asked: string): boolean {
  const names: readonly string[] = methods
  return names.includes(asked)
}

/** The protocol of a request: the first that claims it, else the one that takes what is left. */
function spoken(dialects: readonly Dialect[], request: WireRequest): Dialect {
  const [only] = dialects
  if (only !== undefined && dialects.length === 1) return only
  const rest = dialects.find(({ matches }) => matches === undefined)
  const found = dialects.find(({ matches }) => matches?.(request) === true) ?? rest ?? dialects[0]
  if (found === undefined) throw new BrokerError('not_found', 'Not found')
  return found
}

function addDocument(app: FastifyInstance, document: MetadataDocument, parts: MetadataParts): void {
  app.get<{ Params: { '*'?: string } }>(document.path, (request, reply) => {
    const answer = document.answer(wireRequest(request), request.params['*'] ?? '')
    send(request, reply, prepare(answer), parts, { dialect: 'document' })
  })
}

function wireRequest({ method, headers, originalUrl, body }: FastifyRequest): WireRequest {
  const at = originalUrl.indexOf('?')
  const query = at < 0 ? '' : originalUrl.slice(at + 1)
  return { method, headers, query, body: typeof body === 'string' ? body : undefined }
}

/** Fastify's own refusals, which carry an HTTP status and no secret. */
function fastifyError(thrown: unknown): BrokerError | undefined {
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  return status === 413
    ? new BrokerError('request_too_large', 'The request body is too large')
    : new BrokerError('request_malformed', 'The request is malformed')
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: PreparedReply,
  { onReply }: MetadataParts,
  { dialect, error }: { dialect: string; error?: BrokerError },
): void {
  reply.hijack()
  write(reply.raw, answer)
  onReply({ dialect, status: answer.status, error, headers: request.raw.headers })
}
