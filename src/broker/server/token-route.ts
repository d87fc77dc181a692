/** The route of a token path: parse → resolve → token → render. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Dialect, WireRequest } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'
import { requireAllowedResource } from '../identities.ts'
import { isGuid } from '../../lib/grammars.ts'
import { toScope } from '../../lib/resource.ts'
import { type Clock, computeExpiry } from '../tokens/lifetime.ts'
import type { Asked, PodRequest } from './pod.ts'
import { createAbandonedError, sendReply } from './reply.ts'

/**
 * Creates the function that answers at a token path, to every method: its dialect renders the error for a wrong one. A pod without
 * a dialect at the path has no such path.
 */
export function createTokenRoute(clock: Clock) {
  return async (path: string, request: PodRequest): Promise<void> => {
    const { pod, raw, response, wire } = request
    const dialect = findDialect(pod.dialects.get(path), wire)
    if (dialect === undefined) throw new BrokerError('not_found', 'Not found')
    if (!dialect.methods.some((method) => method === raw.method)) {
      throw new BrokerError(
        'method_not_allowed',
        `${raw.method} is not allowed here`,
        `use ${dialect.methods.join(' or ')}`,
      )
    }
    const query = dialect.parse(wire)
    const asked: Asked = { query }
    request.asked = asked
    const identity = pod.identities.resolve(query.selector)
    // A field of the query passes on only if it is named here: none may change identity or scope.
    asked.request = {
      identity,
      scope: toScope(query.resource),
      bypassCache: query.bypassCache,
      correlationId: findCorrelationId(wire.headers),
    }
    requireAllowedResource(identity, query.resource)
    const token = await pod.tokens(asked.request, () => createCloseSignal(response))
    const { expiresIn, expiresOn } = computeExpiry(token.lifetime, clock)
    const answer = { query, identity, token, expiresIn, expiresOn }
    asked.token = token
    sendReply(request, dialect.render(answer, wire), { protocol: dialect.name })
  }
}

/** Returns the first dialect that takes the request; the last one at a path takes every request. */
export function findDialect(
  dialects: readonly Dialect[] | undefined,
  request: WireRequest,
): Dialect | undefined {
  return dialects?.find(({ matches }) => matches === undefined || matches(request))
}

/** Returns a signal that aborts with `request_abandoned` when the connection closes, and has aborted if it is closed. */
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
