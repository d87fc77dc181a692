/** The application of the metadata port: guard → token route or document → error handler. */
import type { IncomingMessage } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { createJsonReply, type Reply } from '../dialects/dialect.ts'
import { imds } from '../dialects/imds.ts'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import { METADATA_DOCUMENTS, renderDocumentError } from '../metadata/documents.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { createPathError } from './guard.ts'
import { MAX_BODY_BYTES } from './connections.ts'
import type { Pod } from './pod.ts'
import { prepareError, prepareReply, sendReply } from './reply.ts'
import { addTokenRoute, findDialect, toWireRequest } from './token-route.ts'
import type { Clock } from '../tokens/clock.ts'

/** What all pods share. */
export interface MetadataParts {
  /** Returns the pod whose socket the request came over. */
  readonly findPod: (request: IncomingMessage) => Pod
  readonly clock: Clock
}

type DocumentRequest = FastifyRequest<{ Params: { '*'?: string } }>

/** The readiness probe of the azure-workload-identity proxy, on the same port. */
const READY_PATH = '/readyz'
const TOKEN_URLS: readonly string[] = Object.values(TOKEN_PATHS)

/** Creates the application, without a port: for `listen` and for `inject`. */
export function createMetadataApp(parts: MetadataParts): FastifyInstance {
  const app = createGuardedApp(parts)
  app.setErrorHandler(sendError)
  app.get(READY_PATH, (request, reply) => {
    const { isReady, instanceId } = request.pod
    const ready = isReady()
    const prepared = prepareReply(createJsonReply(ready ? 200 : 503, { ready, instanceId }))
    sendReply(request, reply, prepared, { protocol: 'none' })
  })
  for (const url of TOKEN_URLS) addTokenRoute(app, url, parts.clock)
  addDocuments(app)
  return app
}

/** Creates an application whose requests are those of a pod, and have passed its guard. */
function createGuardedApp({ findPod }: MetadataParts): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      // Each dialect parses the query by its own rules.
      querystringParser: () => ({}),
    },
    // This request has no decorations.
    frameworkErrors: (_error, request, reply) =>
      sendError(createPathError(), request, reply, findPod(request.raw)),
  })

  app.decorateRequest('pod', {
    getter() {
      return findPod(this.raw)
    },
  })
  app.decorateRequest('startedAt', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    request.startedAt = performance.now()
    // The kubelet sends the pod's address as Host.
    if (request.routeOptions.url !== READY_PATH) request.pod.guard(request.raw)
    done()
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  return app
}

/** Sends an error in the form of its dialect, of the documents, or of IMDS for a path that there is not. */
function sendError(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  pod: Pod = request.pod,
): void {
  const error = toHttpError(thrown) ?? toBrokerError(thrown)
  const { url } = request.routeOptions
  const dialect = findDialect(pod.dialects.get(url ?? ''), toWireRequest(request))
  const isDocument = url !== undefined && !TOKEN_URLS.includes(url)
  const render = dialect?.renderError ?? (isDocument ? renderDocumentError : imds.renderError)
  const prepared = prepareError(render(error), error, dialect?.methods ?? ['GET'])
  const protocol = dialect?.name ?? (isDocument ? 'document' : 'none')
  sendReply(request, reply, prepared, { protocol, error }, pod)
}

/** Adds the documents, and forwards the paths of the pass-through. */
function addDocuments(app: FastifyInstance): void {
  app.setNotFoundHandler(
    forwardOr(() => {
      throw new BrokerError('not_found', 'Not found')
    }),
  )
  for (const { path, answer } of METADATA_DOCUMENTS) {
    app.get(
      path,
      forwardOr((request) =>
        answer(toWireRequest(request), {
          rest: request.params['*'] ?? '',
          tenantId: request.pod.tenantId(),
          instance: request.pod.instance,
        }),
      ),
    )
  }
}

/** Creates a handler that sends the real service's reply, or that of `answer` if the path is not forwarded. */
function forwardOr(answer: (request: DocumentRequest) => Reply) {
  return async (request: DocumentRequest, reply: FastifyReply): Promise<void> => {
    const forwarded = await request.pod.passThrough(request.raw)
    const protocol = forwarded === undefined ? 'document' : 'pass-through'
    sendReply(request, reply, prepareReply(forwarded ?? answer(request)), { protocol })
  }
}

/** Returns Fastify's own 4xx errors as a `BrokerError`; undefined for any other error. */
function toHttpError(thrown: unknown): BrokerError | undefined {
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  return status === 413
    ? new BrokerError(
        'request_too_large',
        `The request body is larger than ${MAX_BODY_BYTES} bytes`,
        'send only the parameters of a token request',
      )
    : new BrokerError('request_malformed', 'The request is malformed')
}
