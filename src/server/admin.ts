/** The application of the admin port: probes and metrics, and for people on loopback the status. */
import type { IncomingHttpHeaders } from 'node:http'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { LOG_LEVELS } from '../config/settings.ts'
import { isLoopback } from '../lib/hosts.ts'
import type { StatusPage } from '../status-page/page.ts'
import type { TrafficSample } from '../telemetry/metrics.ts'
import type { Exposition } from '../telemetry/prometheus.ts'
import type { ProcessLog } from '../telemetry/logger.ts'
import type { ReadinessState } from '../telemetry/readiness.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { shareScrapes } from './share-scrapes.ts'

interface AdminParts {
  readonly readiness: () => ReadinessState
  readonly scrape: () => Promise<Exposition>
  /** Returns the counts behind the curves of the status page. */
  readonly readTraffic: () => TrafficSample
  readonly document: () => StatusDocument
  readonly log: ProcessLog
}

/** Creates the application, without a port: for `listen` and for `inject`. */
export function createAdminApp(parts: AdminParts): FastifyInstance {
  const { readiness } = parts
  const scrape = shareScrapes(parts.scrape)
  const app = fastify({ logger: false, bodyLimit: 1024 })
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: NOT_FOUND }))

  app.get('/healthz', () => ({ status: 'ok' }))

  app.get('/readyz', (_request, reply) => {
    const { reasons, ...state } = readiness()
    const body = { ...state, reasons: reasons.map(({ summary }) => summary) }
    return reply.code(state.ready ? 200 : 503).send(body)
  })

  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await scrape()
    return reply.header('Content-Type', contentType).send(body)
  })

  void app.register((local, _options, done) => {
    local.addHook('onRequest', (request, reply, next) => {
      reply.header('Cache-Control', 'no-store')
      if (isFromLoopback(request.raw)) next()
      else reply.code(403).send({ error: LOOPBACK_ONLY })
    })
    addLocalRoutes(local, parts)
    done()
  })
  return app
}

const NOT_FOUND =
  'there is no such path here. Paths: /healthz, /readyz, /metrics; from loopback /status, /status.json, GET and PUT /log-level'

const LOOPBACK_ONLY =
  'only from loopback. Fix: use kubectl port-forward, and localhost or a loopback address as the host'

function addLocalRoutes(app: FastifyInstance, { readTraffic, document, log }: AdminParts): void {
  let page: Promise<StatusPage> | undefined

  app.get('/', (_request, reply) => reply.redirect('/status'))

  app.get('/status.json', (_request, reply) => reply.send(document()))

  app.get('/status', async (_request, reply) => {
    // Loaded on the first visit: most sidecars never get one, and their memory stays smaller.
    page ??= import('../status-page/page.ts').then((module) => module.createStatusPage(readTraffic))
    const { headers, body } = (await page)(document())
    return reply.headers(headers).send(body)
  })

  app.get('/log-level', () => ({ level: log.level() }))

  app.put('/log-level', (request, reply) => {
    const level = LOG_LEVELS.find((known) => known === parseLevel(request))
    if (level === undefined) {
      return reply.code(400).send({ error: `the body must be one of ${LOG_LEVELS.join(', ')}` })
    }
    log.changeLevel(level)
    return reply.send({ level: log.level() })
  })
}

/** Returns the body, which is the level alone or as a JSON string. */
function parseLevel({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body.trim().replace(/^"(.*)"$/, '$1') : ''
}

/** A page whose name was made to resolve to loopback (DNS rebinding) sends its own name as Host. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

interface Received {
  readonly socket: {
    readonly remoteAddress?: string | undefined
    readonly localAddress?: string | undefined
  }
  readonly headers: IncomingHttpHeaders
}

/**
 * Returns whether the request came over loopback, as that of `kubectl port-forward` does, names a loopback
 * host and was not forwarded. The peer must be 127.0.0.1 or ::1: a mesh delivers requests of other pods from
 * 127.0.0.6.
 */
export function isFromLoopback({ socket, headers }: Received): boolean {
  const peer = unmapIpv4(socket.remoteAddress)
  // `inject` has no local address.
  const local = socket.localAddress ?? peer
  return (
    (peer === '127.0.0.1' || peer === '::1') &&
    isLoopback(local) &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    headers['x-forwarded-for'] === undefined &&
    headers['forwarded'] === undefined
  )
}

/** Returns the address without the prefix that a dual-stack socket adds to IPv4 addresses. */
function unmapIpv4(address = ''): string {
  return address.replace(/^::ffff:/i, '')
}
