/** The route of a token path: which protocol is spoken, and the way of a request through it. */
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Dialect, TokenQuery, WireRequest } from '../dialects/dialect.ts'
import { BrokerError } from '../errors.ts'
import { type Identity, type IdentityResolver, requireAllowedResource } from '../identities.ts'
import type { Clock } from '../tokens/clock.ts'
import { computeExpiry } from '../tokens/refresh-policy.ts'
import { toScope, type TokenRequest, type TokenSource } from '../tokens/token.ts'
import { rendering } from './replies.ts'
import { correlationIdOf } from './trace-context.ts'
import { type ReplyEvent, send, wireRequest } from './wire.ts'

/** What answers token requests. */
export interface DialectParts {
  readonly resolve: IdentityResolver
  readonly tokens: TokenSource
  readonly clock: Clock
  /** Told of each reply; `error` when it was one. */
  readonly onReply: (event: ReplyEvent) => void
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The protocols at this path; none for a document. */
    readonly dialects?: readonly Dialect[]
  }
}

const ALL_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']

/** Adds the path of these protocols, for every method: a wrong one is refused in their words. */
export function addDialects(
  app: FastifyInstance,
  url: string,
  dialects: readonly Dialect[],
  parts: DialectParts,
): void {
  const { resolve, tokens, clock } = parts
  const render = rendering()
  const wishFor = wishing()
  const hangUpSignal = createHangUpSignals()
  app.route({
    method: ALL_METHODS,
    url,
    config: { dialects },
    handler: async (request, reply) => {
      const wire = wireRequest(request)
      const dialect = spoken(dialects, wire)
      if (!allows(dialect, request.method)) {
        throw new BrokerError('method_not_allowed', `${request.method} is not allowed here`)
      }
      const query = dialect.parse(wire)
      const identity = resolve(query.selector)
      requireAllowedResource(identity, query.resource)
      const wish = wishFor(query, identity)
      const correlationId = correlationIdOf(request.headers['traceparent'])
      const { socket } = request
      const tokenRequest = correlationId === undefined ? wish : { ...wish, correlationId }
      const token = await tokens(tokenRequest, hangUpSignal(socket))
      const { expiresIn, expiresOn } = computeExpiry(token, clock)
      const answer = { query, identity, token, expiresIn, expiresOn }
      send(request, reply, render(dialect, answer, wire), parts, {
        dialect: dialect.name,
        served: { request: tokenRequest, token },
      })
    },
  })
}

/**
 * Puts queries into the broker's words. The same query for the same identity is the same wish, so that
 * the cache finds its key at once (`cacheKey`).
 */
function wishing(): (query: TokenQuery, identity: Identity) => TokenRequest {
  const last = new WeakMap<TokenQuery, TokenRequest>()
  return (query, identity) => {
    const held = last.get(query)
    if (held?.identity === identity) return held
    const { selector: _selector, resource, ...wishes } = query
    const wish = { identity, scope: toScope(resource), ...wishes }
    last.set(query, wish)
    return wish
  }
}

function allows({ methods }: Dialect, asked: string): boolean {
  const names: readonly string[] = methods
  return names.includes(asked)
}

/** The protocol of a request: the first that claims it, else the one that takes what is left. */
export function spoken(dialects: readonly Dialect[], request: WireRequest): Dialect {
  const [only] = dialects
  if (only !== undefined && dialects.length === 1) return only
  const rest = dialects.find(({ matches }) => matches === undefined)
  const found = dialects.find(({ matches }) => matches?.(request) === true) ?? rest ?? dialects[0]
  if (found === undefined) throw new BrokerError('not_found', 'Not found')
  return found
}

/** Returns the signal that a connection's client hung up: one for each connection, not for each request. */
function createHangUpSignals(): (socket: Socket) => AbortSignal {
  const signals = new WeakMap<Socket, AbortSignal>()
  return (socket) => {
    const memoized = signals.get(socket)
    if (memoized !== undefined) return memoized
    const controller = new AbortController()
    for (const event of ['close', 'end']) socket.once(event, () => controller.abort())
    signals.set(socket, controller.signal)
    return controller.signal
  }
}
