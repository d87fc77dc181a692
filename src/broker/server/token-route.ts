/** The route of a token path: parse → resolve → token → render. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Dialect, WireRequest } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { requireAllowedResource } from '../identities.ts'
import { isGuid } from '../../lib/grammars.ts'
import { toScope } from '../../lib/resource.ts'
import { type Clock, computeExpiry } from '../tokens/lifetime.ts'
import { type Asked, createAbandonedError, memoizedRenderer, sendReply } from './reply.ts'

/**
 * Adds a token path. It takes every method, so that the dialect renders the error for a wrong one. For a pod without a dialect
 * at the path, it replies 404.
 */
export function addTokenRoute(app: FastifyInstance, url: string, clock: Clock): void {
  const render = memoizedRenderer()
  app.all(url, async (request, reply) => {
    const { dialects, identities, tokens } = request.pod
    const wire = toWireRequest(request)
    const dialect = findDialect(dialects.get(url), wire)
    if (dialect === undefined) throw new BrokerError('not_found', 'Not found')
    if (!dialect.methods.some((method) => method === request.method)) {
      throw new BrokerError(
        'method_not_allowed',
        `${request.method} is not allowed here`,
        `use ${dialect.methods.join(' or ')}`,
      )
    }
    const query = dialect.parse(wire)
    const asked: Asked = { query }
    request.asked = asked
    const identity = identities.resolve(query.selector)
    // Each field is copied by its name, so that no other field of a query can change identity or scope.
    asked.request = {
      identity,
      scope: toScope(query.resource),
      bypassCache: query.bypassCache,
      correlationId: findCorrelationId(request.headers),
    }
    requireAllowedResource(identity, query.resource)
    const token = await tokens(asked.request, () => createCloseSignal(reply.raw))
    const { expiresIn, expiresOn } = computeExpiry(token.lifetime, clock)
    const answer = { query, identity, token, expiresIn, expiresOn }
    asked.token = token
    sendReply(request, reply, render(dialect, answer, wire), { protocol: dialect.name })
  })
}

/** Converts a request of Fastify into the form that the dialects parse. */
export function toWireRequest({ headers, originalUrl, body }: FastifyRequest): WireRequest {
  const at = originalUrl.indexOf('?')
  const query = at < 0 ? '' : originalUrl.slice(at + 1)
  return { headers, query, body: typeof body === 'string' ? body : undefined }
}

/** Returns the first dialect that takes the request; the last one at a path takes every request. */
export function findDialect(
  dialects: readonly Dialect[] | undefined,
  request: WireRequest,
): Dialect | undefined {
  return dialects?.find(({ matches }) => matches === undefined || matches(request))
}

/** Returns a signal that aborts with `request_abandoned` when the connection closes, or at once if it is closed already. */
function createCloseSignal(response: ServerResponse): AbortSignal {
  if (response.destroyed) return AbortSignal.abort(createAbandonedError())
  const controller = new AbortController()
  response.once('close', () => controller.abort(createAbandonedError()))
  return controller.signal
}

/** Returns the trace id of the caller, or else the request id that MSAL sends; undefined if there is neither. */
export function findCorrelationId(headers: IncomingHttpHeaders): string | undefined {
  const traceId = parseTraceparent(headers['traceparent'])
  if (traceId !== undefined) return traceId
  const requestId = headers['x-ms-client-request-id']
  return typeof requestId === 'string' && isGuid(requestId) ? requestId.toLowerCase() : undefined
}

/** Version, trace id, parent id and flags. Version 00 has no more than these 55 characters, later ones may. */
const TRACEPARENT =
  /^(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/**
 * Returns the trace id of a `traceparent` header as the GUID that Entra ID calls client-request-id;
 * undefined for a header that is absent or invalid (W3C Trace Context, sections 3.2 and 4.3).
 */
function parseTraceparent(header: string | string[] | undefined): string | undefined {
  const [, traceId] = TRACEPARENT.exec(String(header)) ?? []
  return traceId?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
