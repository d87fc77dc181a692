/** The parts of one pod. The requests of its applications come over its own sockets. */
import type { Dialect } from '../dialects/dialect.ts'
import type { IdentityResolver } from '../identities.ts'
import type { InstanceDocument } from '../metadata/instance.ts'
import type { PassThrough } from '../metadata/pass-through.ts'
import type { GetToken } from '../tokens/token.ts'
import type { Guard } from './guard.ts'
import type { FindPeerUid } from './peer-uid.ts'
import type { ReplyEvent } from './reply.ts'

/** The identities of a pod. A reload replaces the members. */
export interface PodIdentities {
  readonly resolve: IdentityResolver
  /** The tenant of the default identity. */
  readonly tenantId: string
}

export interface Pod {
  readonly maxConnections: number
  readonly guard: Guard
  /** The dialects that it is answered in, by their paths. */
  readonly dialects: ReadonlyMap<string, readonly Dialect[]>
  readonly identities: PodIdentities
  readonly findPeerUid: FindPeerUid
  /** Returns its tokens. Pods with the same identities can share a cache. */
  readonly tokens: GetToken
  /** The document of `/metadata/instance`; undefined: nothing is known of the machine. */
  readonly instance: InstanceDocument | undefined
  /** Forwards the paths that no dialect has. */
  readonly passThrough: PassThrough
  readonly isReady: () => boolean
  /** Identifies it on /readyz, so that doctor recognizes it at the end of a route. */
  readonly instanceId: string
  readonly onReply: (event: ReplyEvent) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    readonly pod: Pod
  }
}
