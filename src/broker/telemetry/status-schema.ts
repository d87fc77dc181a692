/** The schema of `/status.json`, which docs/status.schema.json publishes. */
import * as z from 'zod/mini'
import { listOf } from '../../lib/json.ts'

const instant = z.iso.datetime()
const count = z.int().check(z.nonnegative())
/** The first schema stops at the first wrong element, the second one drops unknown fields and is published. */
export const list = <T extends z.ZodMiniType>(element: T) =>
  z.pipe(listOf(element), z.array(element))

/** Why something failed; docs/troubleshooting.md lists the codes. */
const Failure = z.object({
  code: z.string(),
  message: z.string(),
  fix: z.optional(z.string()),
  aadsts: z.optional(z.int()),
  entraTraceId: z.optional(z.string()),
  entraCorrelationId: z.optional(z.string()),
})

export const StatusSchema = z.object({
  /** Increases when a field is removed or changes its meaning, not when one is added. */
  schemaVersion: z.literal(1),
  generatedAt: instant,
  /** The pod, or the machine: its host name, and the namespace and service account of its projected token. */
  workload: z.object({
    host: z.string(),
    namespace: z.optional(z.string()),
    serviceAccount: z.optional(z.string()),
    inPod: z.boolean(),
  }),
  build: z.object({ version: z.string(), node: z.string() }),
  startedAt: instant,
  /**
   * starting: not ready, since no projected token has been read yet. ready: nothing
   * fails. degraded: something fails, while another token is cached, or Entra ID refuses only a resource.
   * failing: no token is cached and none can be obtained, because no exchange succeeds, no projected token is
   * valid, or no identity is configured.
   */
  state: z.enum(['starting', 'ready', 'degraded', 'failing']),
  /**
   * Why the state is not ready: first the problems that fail requests now, the oldest first; then the problems that will fail
   * requests when a cached token expires, by its expiry.
   */
  problems: list(
    z.object({
      /** One sentence without a full stop. */
      summary: z.string(),
      /** The identity whose tokens have the problem; absent: every identity. */
      identity: z.optional(z.string()),
      clientId: z.optional(z.string()),
      /** The resources whose tokens have the problem; absent: all. */
      resources: z.optional(list(z.string())),
      /** The failed exchanges in a row of the token that has the most. */
      consecutiveFailures: z.optional(count),
      /** When the first of these exchanges, or the first read of the projected token, failed. */
      failingSince: z.optional(instant),
      /** When the first of the cached tokens with the problem expires; absent: none is cached. */
      servedUntil: z.optional(instant),
      /** The tokens that are not cached, if others with the problem are. Requests for them fail. */
      withoutToken: z.optional(list(z.object({ identity: z.string(), resource: z.string() }))),
      /** When the next exchange is due; in the past: at the next request. */
      nextAttemptAt: z.optional(instant),
      failure: z.optional(Failure),
      /** The meaning of Entra ID's error code, where that is known. */
      explanation: z.optional(z.string()),
    }),
  ),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
  /** The seconds by which the local clock is ahead of Entra ID's; absent before the first exchange. */
  clockSkewSeconds: z.optional(z.number()),
  identities: list(
    z.object({
      name: z.string(),
      clientId: z.string(),
      tenantId: z.string(),
      authorityHost: z.string(),
      resourceId: z.optional(z.string()),
      /** The projected token that is its assertion. */
      tokenFile: z.string(),
      isDefault: z.boolean(),
      /** The resources that the identity may request; absent: any. */
      resources: z.optional(list(z.string())),
    }),
  ),
  /** True if requests may name client ids that are not among the identities. */
  allowsUnlistedClientIds: z.boolean(),
  assertions: list(
    z.object({
      file: z.string(),
      /** Absent when it cannot be read. */
      claims: z.optional(
        z.object({
          issuer: z.string(),
          subject: z.string(),
          audience: list(z.string()),
          expiresAt: instant,
        }),
      ),
      failure: z.optional(Failure),
    }),
  ),
  tokens: list(
    z.object({
      identity: z.string(),
      clientId: z.string(),
      resource: z.string(),
      /** Absent if no token is cached. */
      cached: z.optional(z.object({ obtainedAt: instant, expiresAt: instant })),
      nextAttemptAt: instant,
      consecutiveFailures: count,
      failure: z.optional(Failure),
    }),
  ),
  exchanges: list(
    z.object({
      /** When the latest of the exchanges ended. */
      at: instant,
      /** How many exchanges had this request and outcome. */
      count,
      identity: z.string(),
      resource: z.string(),
      durationMs: count,
      failure: z.optional(Failure),
    }),
  ),
  failedRequests: list(
    z.object({
      lastAt: instant,
      count,
      protocol: z.string(),
      client: z.string(),
      clientVersion: z.string(),
      /** Absent if no identity was found. */
      identity: z.optional(z.string()),
      /** The client id of the identity, or the one that the request names. */
      clientId: z.optional(z.string()),
      /** Absent if the request asks for no token or cannot be parsed. */
      resource: z.optional(z.string()),
      failure: Failure,
    }),
  ),
  clients: list(
    z.object({
      client: z.string(),
      version: z.string(),
      requests: count,
      lastSeenAt: instant,
    }),
  ),
  settings: list(
    z.object({
      name: z.string(),
      /** [redacted] for a credential. */
      value: z.string(),
      source: z.enum(['environment', 'default']),
    }),
  ),
  warnings: list(z.string()),
})

export type StatusDocument = z.infer<typeof StatusSchema>
