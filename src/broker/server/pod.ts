/** A pod, a request of its applications, and what is reported of the reply. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Dialect, Protocol, TokenQuery, WireRequest } from '../dialects/dialect.ts'
import type { IdentityResolver } from '../identities.ts'
import type { InstanceDocument } from '../metadata/instance.ts'
import type { PassThrough } from '../metadata/pass-through.ts'
import type { AccessToken, CacheRequest, GetToken } from '../tokens/token.ts'
import type { BrokerError } from '../../lib/errors.ts'
import type { Guard } from './guard.ts'

/** The identities of a pod. A reload replaces the members. */
export interface PodIdentities {
  readonly resolve: IdentityResolver
  /** The tenant of the default identity. */
  readonly tenantId: string
}

/** The parts of one pod. The requests of its applications come over its own sockets. */
export interface Pod {
  readonly maxConnections: number
  readonly guard: Guard
  /** The dialects that it is answered in, by their paths. */
  readonly dialects: ReadonlyMap<string, readonly Dialect[]>
  readonly identities: PodIdentities
  /** Returns its tokens. Pods with the same identities can share a cache. */
  readonly tokens: GetToken
  /** The document of `/metadata/instance`; undefined: nothing is known of the machine. */
  readonly instance: InstanceDocument | undefined
  /** Forwards the paths that no dialect has. */
  readonly passThrough: PassThrough
  readonly isReady: () => boolean
  /** Identifies the process on /readyz, so that doctor recognizes it at the end of a route. */
  readonly instanceId: string
  readonly onReply: (event: ReplyEvent) => void
}

export interface PodRequest {
  readonly pod: Pod
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  /** When it came, on the clock of `performance.now()`. */
  readonly startedAt: number
  /** In lower case, decoded, without superfluous slashes; undefined: it cannot be decoded. */
  path?: string
  wire: WireRequest
  /** Undefined until a token request has been parsed. */
  asked?: Asked
}

/** What a token request asks for and gets, as far as it is known. */
export interface Asked {
  readonly query: TokenQuery
  /** Undefined until the selector of the request is resolved. */
  request?: CacheRequest
  token?: AccessToken
}

export interface ReplyEvent {
  /** The name of a dialect, `document`, `pass-through` or `none`. */
  readonly protocol: Protocol
  readonly status: number
  /** The time from the request's headers to the reply, in milliseconds. */
  readonly durationMs: number
  readonly error?: BrokerError | undefined
  /** Undefined for a request of no token, or of one that cannot be parsed. */
  readonly asked?: Asked | undefined
  readonly headers: IncomingHttpHeaders
}
