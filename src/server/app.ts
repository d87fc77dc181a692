/** The server that applications talk to: guard, then a dialect or a document, then the reply. */
import fastify, { type FastifyInstance } from 'fastify'
import type { Dialect, Reply } from '../dialects/dialect.ts'
import { BrokerError, toBrokerError } from '../errors.ts'
import type { MetadataDocument } from '../metadata/documents.ts'
import type { PassThrough } from '../metadata/pass-through.ts'
import { addDialects, type DialectParts, spoken } from './token-route.ts'
import type { Guard } from './guard.ts'
import { errorReply, prepare } from './replies.ts'
import { MAX_BODY_BYTES } from './unread-bodies.ts'
import { send, wireRequest } from './wire.ts'

/** What the server is put together from. */
export interface MetadataParts extends DialectParts {
  readonly guard: Guard
  readonly dialects: readonly Dialect[]
  readonly documents: readonly MetadataDocument[]
  readonly renderDocumentError: (error: BrokerError) => Reply
  readonly isReady: () => boolean
  /** What nothing here answers may go on to the real service; undefined: nothing does. */
  readonly passThrough?: PassThrough
}

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
      const refusal = new BrokerError('invalid_path', 'The path is ambiguous')
      send(request, reply, prepare(renderUnrouted(refusal)), parts, {
        dialect: 'none',
        error: refusal,
      })
    },
  })

  app.decorateRequest('startedAt', 0)
  app.addHook('onRequest', (request, _reply, done) => {
    request.startedAt = performance.now()
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

function addDocument(app: FastifyInstance, document: MetadataDocument, parts: MetadataParts): void {
  app.get<{ Params: { '*'?: string } }>(document.path, (request, reply) => {
    const answer = document.answer(wireRequest(request), request.params['*'] ?? '')
    send(request, reply, prepare(answer), parts, { dialect: 'document' })
  })
}

/** Fastify's own refusals, which carry an HTTP status and no secret. */
function fastifyError(thrown: unknown): BrokerError | undefined {
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  return status === 413
    ? new BrokerError('request_too_large', 'The request body is too large')
    : new BrokerError('request_malformed', 'The request is malformed')
}
