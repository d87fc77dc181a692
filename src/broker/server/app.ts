/** The application of the metadata ports, which all pods share: guard → token or document → error reply. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MAX_BODY_BYTES } from '../../service/connections.ts'
import { createJsonReply, type Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { readBody } from '../../lib/read-body.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { findDocument } from '../metadata/documents.ts'
import { sendError } from './error-reply.ts'
import { createPathError } from './guard.ts'
import { listen, type Listener, type ListenTarget } from '../../service/listen.ts'
import type { Pod, PodRequest } from './pod.ts'
import { sendReply } from './reply.ts'
import { createTokenRoute } from './token-route.ts'
import { type Clock, systemClock } from '../tokens/lifetime.ts'

/** Answers the requests of a pod, which come over these sockets. */
export type ListenForPod = (pod: Pod, sockets: readonly ListenTarget[]) => Promise<Listener>

/** Creates the application. Each pod has its own sockets and its own cap on connections. */
export function createMetadataPort(): ListenForPod {
  const answer = createMetadataApp(systemClock)
  return (pod, sockets) =>
    listen((request, response) => answer(pod, request, response), sockets, {
      maxConnections: pod.maxConnections,
    })
}

/** The readiness probe of the azure-workload-identity proxy, on the same port. */
const READY_PATH = '/readyz'

/** Creates the application, without a port. It replies to every request, and never throws. */
export function createMetadataApp(clock: Clock) {
  const answerToken = createTokenRoute(clock)
  const tokenPaths: ReadonlySet<string> = new Set(Object.values(TOKEN_PATHS))

  async function answer(request: PodRequest): Promise<void> {
    const { pod, raw } = request
    const path = parsePath(raw.url)
    request.path = path
    // The kubelet sends the pod's address as Host.
    if (path === READY_PATH && raw.method === 'GET') return sendReadiness(request)
    pod.guard(raw)
    if (raw.method === 'POST') request.wire = { ...request.wire, body: await readForm(raw) }
    return tokenPaths.has(path) ? answerToken(path, request) : answerDocument(path, request)
  }

  return (pod: Pod, raw: IncomingMessage, response: ServerResponse): void => {
    const startedAt = performance.now()
    const request: PodRequest = { pod, raw, response, startedAt, wire: toWireRequest(raw) }
    answer(request)
      .catch((error: unknown) => sendError(error, request))
      .catch(() => response.destroy())
  }
}

/** Returns what Node has read in the terms of the dialects. */
function toWireRequest({ headers, url = '' }: IncomingMessage): PodRequest['wire'] {
  const at = url.indexOf('?')
  return { headers, query: at < 0 ? '' : url.slice(at + 1) }
}

/** Returns the path of a request, which clients spell in different ways. Throws `invalid_path` if it cannot be decoded. */
function parsePath(url = ''): string {
  const [path = ''] = url.replace(/^http:\/\/[^/?#]*/, '').split('?', 1)
  try {
    const decoded = path.includes('%') ? decodeURIComponent(path) : path
    return decoded
      .toLowerCase()
      .replaceAll(/\/{2,}/g, '/')
      .replace(/(?<=.)\/$/, '')
  } catch {
    throw createPathError()
  }
}

/** Reads the form of a POST. Node lets the stream of a request without a body never end. */
async function readForm(raw: IncomingMessage): Promise<string | undefined> {
  const { 'content-length': length, 'transfer-encoding': encoding } = raw.headers
  if (length === undefined && encoding === undefined) return undefined
  // To destroy the request would close its connection before the reply.
  return readBody(raw.iterator({ destroyOnReturn: false }), MAX_BODY_BYTES, createTooLargeError)
}

function createTooLargeError(): BrokerError {
  return new BrokerError(
    'request_too_large',
    `The request body is larger than ${MAX_BODY_BYTES} bytes`,
    'send only the parameters of a token request',
  )
}

function sendReadiness(request: PodRequest): void {
  const { isReady, instanceId } = request.pod
  const ready = isReady()
  const reply = createJsonReply(ready ? 200 : 503, { ready, instanceId })
  sendReply(request, reply, { protocol: 'none' })
}

/** Sends the real service's reply, or that of the document if the path is not forwarded. */
async function answerDocument(path: string, request: PodRequest): Promise<void> {
  const { pod, raw, wire } = request
  const forwarded = await pod.passThrough(raw)
  const reply: Reply | undefined =
    forwarded ??
    findDocument(path)?.(wire, {
      path,
      tenantId: pod.identities.tenantId,
      instance: pod.instance,
    })
  if (reply === undefined) throw new BrokerError('not_found', 'Not found')
  const protocol = forwarded === undefined ? 'document' : 'pass-through'
  sendReply(request, reply, { protocol })
}
