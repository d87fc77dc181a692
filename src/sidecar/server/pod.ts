/** What belongs to one pod. The requests of its applications come over its own sockets. */
import type { IdentityResolver } from '../identities.ts'
import type { Guard } from './guard.ts'
import type { FindPeerUid } from './peer-uid.ts'
import type { ReplyEvent } from './reply.ts'

export interface Pod {
  /** Open connections at most. */
  readonly maxConnections: number
  readonly guard: Guard
  readonly resolve: IdentityResolver
  /** Returns the tenant of its default identity; a reload may change it. */
  readonly tenantId: () => string
  readonly findPeerUid: FindPeerUid
  readonly isReady: () => boolean
  /** Identifies it on /readyz, so that doctor recognizes it at the end of a route. */
  readonly instanceId: string
  /** Called after each reply. */
  readonly onReply: (event: ReplyEvent) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The pod whose socket the request came over. */
    readonly pod: Pod
  }
}
