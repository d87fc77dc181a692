/** The server for the kubelet, Prometheus and, from loopback, for people. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { LOG_LEVELS } from '../config/settings.ts'
import type { Exposition } from '../telemetry/prometheus.ts'
import type { ProcessLog } from '../telemetry/logger.ts'
import type { ReadinessState } from '../telemetry/readiness.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { isLocal } from './loopback.ts'

interface AdminParts {
  readonly readiness: () => ReadinessState
  readonly scrape: () => Promise<Exposition>
  readonly document: () => StatusDocument
  readonly log: ProcessLog
}

/** The application, apart from any port. */
export function adminServer(parts: AdminParts): FastifyInstance {
  const { readiness, scrape } = parts
  const app = fastify({ logger: false, bodyLimit: 1024 })
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.get('/healthz', () => ({ status: 'ok' }))

  app.get('/readyz', (_request, reply) => {
    const state = readiness()
    return reply.code(state.ready ? 200 : 503).send(state)
  })

  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await scrape()
    return reply.header('Content-Type', contentType).send(body)
  })

  void app.register((local, _options, done) => {
    local.addHook('onRequest', (request, reply, next) => {
      reply.header('Cache-Control', 'no-store')
      if (isLocal(request.raw)) next()
      else refuse(reply)
    })
    addLocalRoutes(local, parts)
    done()
  })
  return app
}

function refuse(reply: FastifyReply): void {
  const error =
    'only for this machine: use kubectl port-forward, and localhost or a loopback address as the host'
  reply.code(403).send({ error })
}

function addLocalRoutes(app: FastifyInstance, { document, log }: AdminParts): void {
  app.get('/', (_request, reply) => reply.redirect('/status'))

  app.get('/status.json', (_request, reply) => reply.send(document()))

  app.get('/status', async (_request, reply) => {
    // Loaded when somebody looks: a sidecar that nobody looks at does without it.
    const { renderStatusPage } = await import('../status-page/page.ts')
    const { headers, body } = renderStatusPage(document())
    return reply.headers(headers).send(body)
  })

  app.get('/log-level', () => ({ level: log.level() }))

  app.put('/log-level', (request, reply) => {
    const level = LOG_LEVELS.find((known) => known === wanted(request))
    if (level === undefined) {
      return reply.code(400).send({ error: `the body must be one of ${LOG_LEVELS.join(', ')}` })
    }
    log.changeLevel(level)
    return reply.send({ level: log.level() })
  })
}

/** The word alone, or as a JSON string. */
function wanted({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body.trim().replace(/^"(.*)"$/, '$1') : ''
}
