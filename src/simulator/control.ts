/** The simulator's own endpoints: read and set faults, read the log of exchanges. */
import { z } from 'zod'
import type { ExchangeLog } from './exchange-log.ts'
import { FaultsSchema, type Faults } from './faults.ts'
import { jsonResponse, type Server } from './handler.ts'

interface Controlled {
  readonly faults: Faults
  readonly log: ExchangeLog
}

/**
 * Answers paths under `/simulator/` itself and leaves all others to `next`:
 * `GET | PUT | POST | DELETE /simulator/faults` (PUT replaces, POST adds; a JSON array of faults)
 * and `GET | DELETE /simulator/requests` (counters and the last exchanges). They have no access
 * control, and are never logged or met by a fault.
 */
export function withControl(next: Server, { faults, log }: Controlled): Server {
  const routes: Readonly<Record<string, (request: Request) => Promise<Response> | Response>> = {
    'GET /simulator/faults': () => jsonResponse(200, faults.list()),
    'PUT /simulator/faults': (request) => change(request, (list) => faults.set(list)),
    'POST /simulator/faults': (request) => change(request, (list) => faults.add(...list)),
    'DELETE /simulator/faults': () => {
      faults.clear()
      return jsonResponse(200, [])
    },
    'GET /simulator/requests': () =>
      jsonResponse(200, { counters: log.counters(), requests: log.entries() }),
    'DELETE /simulator/requests': () => {
      log.clear()
      return jsonResponse(200, { counters: log.counters(), requests: [] })
    },
  }

  async function change(
    request: Request,
    apply: (list: z.infer<typeof FaultsSchema>) => void,
  ): Promise<Response> {
    const body: unknown = await request.json().catch(() => undefined)
    const parsed = FaultsSchema.safeParse(body)
    if (!parsed.success) return jsonResponse(400, { error: z.prettifyError(parsed.error) })
    apply(parsed.data)
    return jsonResponse(200, faults.list())
  }

  return async (request) => {
    const { pathname } = new URL(request.url)
    if (!pathname.startsWith('/simulator/')) return next(request)
    const route = routes[`${request.method} ${pathname}`]
    if (route) return route(request)
    return jsonResponse(404, { error: 'not found', endpoints: Object.keys(routes) })
  }
}
