/** The simulator's own endpoints, by which a test in any language bends and observes it. */
import { z } from 'zod'
import { DirectorySchema, type Directory } from '../entra/directory.ts'
import type { ExchangeLog } from './exchange-log.ts'
import { FaultsSchema, type Faults } from '../faults/faults.ts'
import { jsonResponse, type Server } from '../http/handler.ts'
import type { ClusterIssuer, ProjectedTokenClaims } from '../issuer/issuer.ts'

interface Controlled {
  readonly faults: Faults
  readonly log: ExchangeLog
  readonly directory: Directory
  readonly issuer: ClusterIssuer
  readonly rotateToken: (claims: ProjectedTokenClaims) => Promise<void>
}

/** What a new projected token says; as in {@link ProjectedTokenClaims}. */
const TokenSchema = z
  .strictObject({
    namespace: z.string(),
    serviceAccount: z.string(),
    audience: z.string(),
    lifetimeSeconds: z.int().positive(),
    claims: z.record(z.string(), z.unknown()),
    header: z.record(z.string(), z.unknown()),
  })
  .partial()
const KeySchema = z.strictObject({ published: z.boolean().default(true) })

type Route = (request: Request) => Promise<Response> | Response

/**
 * Answers paths under `/simulator/` itself and leaves all others to `next`. They have no access
 * control, hold no token, and are never logged or met by a fault:
 * - `GET | PUT | POST | DELETE /simulator/faults`: PUT replaces, POST adds; an array of faults
 * - `GET | DELETE /simulator/requests`: counters and the last exchanges
 * - `GET | PUT /simulator/directory`: tenants, applications and resources
 * - `POST /simulator/token`: a new projected token in the file, with the claims given
 * - `POST /simulator/issuer-key`: the issuer signs with a new key; `{"published": false}` breaks it
 */
export function withControl(next: Server, controlled: Controlled): Server {
  const { faults, log, directory, issuer, rotateToken } = controlled
  const requests = () => jsonResponse(200, { counters: log.counters(), requests: log.entries() })
  const routes: Readonly<Record<string, Route>> = {
    'GET /simulator/faults': () => jsonResponse(200, faults.list()),
    'PUT /simulator/faults': taking(FaultsSchema, (list) => {
      faults.set(list)
      return faults.list()
    }),
    'POST /simulator/faults': taking(FaultsSchema, (list) => {
      faults.add(...list)
      return faults.list()
    }),
    'DELETE /simulator/faults': () => {
      faults.clear()
      return jsonResponse(200, faults.list())
    },
    'GET /simulator/requests': requests,
    'DELETE /simulator/requests': () => {
      log.clear()
      return requests()
    },
    'GET /simulator/directory': () => jsonResponse(200, directory),
    'PUT /simulator/directory': taking(DirectorySchema, (changed) =>
      Object.assign(directory, changed),
    ),
    'POST /simulator/token': taking(TokenSchema, async (claims) => {
      await rotateToken(claims)
      return {}
    }),
    'POST /simulator/issuer-key': taking(KeySchema, async ({ published }) => ({
      kid: await issuer.rotateKey({ published }),
    })),
  }

  return async (request) => {
    const { pathname } = new URL(request.url)
    if (!pathname.startsWith('/simulator/')) return next(request)
    const route = routes[`${request.method} ${pathname}`]
    if (route) return route(request)
    return jsonResponse(404, { error: 'not found', endpoints: Object.keys(routes) })
  }
}

/** A route that takes JSON of a form (nothing counts as `{}`) and answers 400 to any other. */
function taking<T>(schema: z.ZodType<T>, apply: (body: T) => unknown): Route {
  return async (request) => {
    const text = await request.text()
    const parsed = schema.safeParse(jsonOf(text === '' ? '{}' : text))
    if (!parsed.success) return jsonResponse(400, { error: z.prettifyError(parsed.error) })
    return jsonResponse(200, await apply(parsed.data))
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
