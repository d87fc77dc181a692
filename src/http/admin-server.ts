/** The server for the kubelet and Prometheus: health, readiness and metrics. */
import fastify, { type FastifyInstance } from 'fastify'

interface AdminParts {
  readonly readiness: () => { readonly ready: boolean }
  readonly scrape: () => Promise<{ contentType: string; body: string }>
}

/** The application, apart from any port. */
export function adminServer({ readiness, scrape }: AdminParts): FastifyInstance {
  const app = fastify({ logger: false })

  app.get('/healthz', () => ({ status: 'ok' }))

  app.get('/readyz', (_request, reply) => {
    const state = readiness()
    return reply.code(state.ready ? 200 : 503).send(state)
  })

  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await scrape()
    return reply.header('Content-Type', contentType).send(body)
  })

  return app
}
