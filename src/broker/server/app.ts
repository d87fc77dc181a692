/** The application of the metadata ports, which all pods share: guard → token route or document → error reply. */
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { MAX_BODY_BYTES } from '../../service/connections.ts'
import { createJsonReply, type Dialect, type Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { METADATA_DOCUMENTS } from '../metadata/documents.ts'
import { sendError } from './error-reply.ts'
import { createPathError, type Guard } from './guard.ts'
import { listen, type Listener, type ListenTarget } from '../../service/listen.ts'
import { prepareReply, type ReplyEvent, sendReply } from './reply.ts'
import { addTokenRoute, toWireRequest } from './token-route.ts'
import { type Clock, systemClock } from '../tokens/lifetime.ts'
import type { IdentityResolver } from '../identities.ts'
import type { InstanceDocument } from '../metadata/instance.ts'
import type { PassThrough } from '../metadata/pass-through.ts'
import type { GetToken } from '../tokens/token.ts'

/** The identities of a pod. A reload replaces the members. */
export interface PodIdentities {
  readonly resolve: IdentityResolver
  /** The tenant of the default identity. */
  readonly tenantId: string
}

/** The parts of one pod. The requests of its applications come over its own sockets. */
export interface Pod {
  readonly maxConnections: number
  readonly guard: Guard
  /** The dialects that the pod's applications may use, by path. */
  readonly dialects: ReadonlyMap<string, readonly Dialect[]>
  readonly identities: PodIdentities
  /** Returns a token of the pod. Pods with the same identities can share a cache. */
  readonly tokens: GetToken
  /** The document of `/metadata/instance`; undefined: none is configured. */
  readonly instance: InstanceDocument | undefined
  /** Forwards the paths of WIMDS_PASS_THROUGH. */
  readonly passThrough: PassThrough
  readonly isReady: () => boolean
  /** Identifies the process on /readyz. Doctor checks by it that a redirect leads to this process. */
  readonly instanceId: string
  readonly onReply: (event: ReplyEvent) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    readonly pod: Pod
  }
}

/** Answers the requests that come over the sockets of a pod. */
export type ListenForPod = (pod: Pod, sockets: readonly ListenTarget[]) => Promise<Listener>

/** Creates the application. Each pod has its own sockets and its own cap on connections. */
export function createMetadataPort(): ListenForPod {
  const pods = new WeakMap<Socket, Pod>()
  const app = createMetadataApp(({ socket }) => {
    const pod = pods.get(socket)
    if (pod === undefined) throw new Error('the request came over the socket of no pod')
    return pod
  }, systemClock)
  return async (pod, sockets) => {
    await app.ready()
    const answer: RequestListener = (request, response) => {
      pods.set(request.socket, pod)
      app.routing(request, response)
    }
    return listen(answer, sockets, { maxConnections: pod.maxConnections })
  }
}

/** Returns the pod whose socket a request came over. */
type FindPod = (request: IncomingMessage) => Pod

/** The readiness probe of the azure-workload-identity proxy, on the same port. */
const READY_PATH = '/readyz'

/** Creates the application, without a port: for `listen` and for `inject`. */
export function createMetadataApp(findPod: FindPod, clock: Clock): FastifyInstance {
  const app = createGuardedApp(findPod)
  app.setErrorHandler(sendError)
  app.get(READY_PATH, (request, reply) => {
    const { isReady, instanceId } = request.pod
    const ready = isReady()
    const prepared = prepareReply(createJsonReply(ready ? 200 : 503, { ready, instanceId }))
    sendReply(request, reply, prepared, { protocol: 'none' })
  })
  for (const url of Object.values(TOKEN_PATHS)) addTokenRoute(app, url, clock)
  addDocuments(app)
  return app
}

/** Creates an application in which each request has its pod, and has passed the guard of the pod. */
function createGuardedApp(findPod: FindPod): FastifyInstance {
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
    // Fastify has not decorated this request with its pod yet.
    frameworkErrors: (_error, request, reply) =>
      sendError(createPathError(), request, reply, findPod(request.raw)),
  })

  app.decorateRequest('pod', {
    getter() {
      return findPod(this.raw)
    },
  })
  app.decorateRequest('startedAt', undefined)
  app.decorateRequest('asked', undefined)
  app.addHook('onRequest', (request, _reply, done) => {
    request.startedAt = performance.now()
    // The guard would reject a probe: the kubelet sends the pod's address as Host.
    if (request.routeOptions.url !== READY_PATH) request.pod.guard(request.raw)
    done()
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  return app
}

type DocumentRequest = FastifyRequest<{ Params: { '*'?: string } }>

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
          tenantId: request.pod.identities.tenantId,
          instance: request.pod.instance,
        }),
      ),
    )
  }
}

/** Creates a handler that sends the real service's reply, or the reply of `answer` if the path is not forwarded. */
function forwardOr(answer: (request: DocumentRequest) => Reply) {
  return async (request: DocumentRequest, reply: FastifyReply): Promise<void> => {
    const forwarded = await request.pod.passThrough(request.raw)
    const protocol = forwarded === undefined ? 'document' : 'pass-through'
    sendReply(request, reply, prepareReply(forwarded ?? answer(request)), { protocol })
  }
}
