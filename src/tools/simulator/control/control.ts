/** The control endpoints, with which a test in any language changes and observes the simulator. */
import type { z } from 'zod'
import { parseJson } from '../../../lib/json.ts'
import { formatIssue } from '../format-issue.ts'
import type { Directory } from '../entra/directory.ts'
import type { ExchangeLog } from './exchange-log.ts'
import { FaultsSchema, type Faults } from '../faults/faults.ts'
import { createJsonResponse, type Handler } from '../http/handler.ts'
import { type ProjectedTokenClaims, ProjectedTokenSchema } from '../issuer/issuer.ts'

interface ControlledParts {
  readonly faults: Faults
  readonly log: ExchangeLog
  readonly directory: Directory
  readonly directorySchema: z.ZodType<Directory>
  readonly rotateToken: (claims: ProjectedTokenClaims) => Promise<void>
}

/** Returns the JSON body of a response with status 200, or another response. */
type Route = (request: Request) => unknown

/**
 * Wraps a handler with the control endpoints under `/simulator/`. They have no access control, return
 * no token, are not logged, and no fault applies to them:
 * - `GET | PUT | POST | DELETE /simulator/faults`: PUT replaces, POST adds; an array of faults
 * - `GET | DELETE /simulator/requests`: counters and the last exchanges
 * - `GET | PUT /simulator/directory`: tenants, applications and resources
 * - `POST /simulator/token`: writes a new projected token with these claims
 */
export function withControl(next: Handler, controlled: ControlledParts): Handler {
  const { faults, log, directory, directorySchema, rotateToken } = controlled
  const requests = () => ({ counters: log.counters(), requests: log.entries() })
  const routes: Readonly<Record<string, Route>> = {
    'GET /simulator/faults': faults.list,
    'PUT /simulator/faults': acceptJson(FaultsSchema, faults.set),
    'POST /simulator/faults': acceptJson(FaultsSchema, (list) => faults.add(...list)),
    'DELETE /simulator/faults': faults.clear,
    'GET /simulator/requests': requests,
    'DELETE /simulator/requests': () => {
      log.clear()
      return requests()
    },
    'GET /simulator/directory': () => directory,
    'PUT /simulator/directory': acceptJson(directorySchema, (changed) =>
      Object.assign(directory, changed),
    ),
    'POST /simulator/token': acceptJson(ProjectedTokenSchema, async (claims) => {
      await rotateToken(claims)
      return {}
    }),
  }

  return async (request) => {
    const { pathname } = new URL(request.url)
    if (!pathname.startsWith('/simulator/')) return next(request)
    const route = routes[`${request.method} ${pathname}`]
    if (!route) {
      return createJsonResponse(404, { error: 'not found', endpoints: Object.keys(routes) })
    }
    const answer = await route(request)
    return answer instanceof Response ? answer : createJsonResponse(200, answer)
  }
}

/** Creates a route that validates a JSON body (empty means `{}`) and answers 400 if it is invalid. */
function acceptJson<T>(schema: z.ZodType<T>, apply: (body: T) => unknown): Route {
  return async (request) => {
    const json = parseJson((await request.text()) || '{}')
    if (json === undefined) return createJsonResponse(400, { error: 'the body is not JSON' })
    const { data, error } = schema.safeParse(json)
    if (error === undefined) return apply(data)
    return createJsonResponse(400, { error: error.issues.map(formatIssue).join('; ') })
  }
}
