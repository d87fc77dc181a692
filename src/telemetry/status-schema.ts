/** The form of `/status.json`: what `wimds report` reads, and what docs/status.schema.json publishes. */
import * as z from 'zod/mini'

const instant = z.iso.datetime()
const count = z.int().check(z.nonnegative())

/** Why something failed, in the words of docs/troubleshooting.md. */
const Failure = z.object({
  /** A code of the closed list. */
  code: z.string(),
  message: z.string(),
  aadsts: z.optional(z.int()),
  entraTraceId: z.optional(z.string()),
  entraCorrelationId: z.optional(z.string()),
})

export const StatusSchema = z.object({
  /** Grows when a field goes or changes its meaning; new fields may come without that. */
  schemaVersion: z.literal(1),
  generatedAt: instant,
  /** Where it runs, by the host name and the projected token. */
  workload: z.object({
    host: z.string(),
    namespace: z.optional(z.string()),
    serviceAccount: z.optional(z.string()),
  }),
  build: z.object({ version: z.string(), node: z.string() }),
  startedAt: instant,
  /**
   * starting: not ready yet. ready: all is well. degraded: something fails that may pass, or for which
   * a valid token is still held. refused: Entra ID refuses a token that is wanted, until somebody
   * changes something.
   */
  state: z.enum(['starting', 'ready', 'degraded', 'refused']),
  /** Why the state is not ready, a sentence each. */
  reasons: z.array(z.string()),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
  /** How far the local clock is ahead of Entra ID's; absent before the first exchange. */
  clockSkewSeconds: z.optional(z.number()),
  identities: z.array(
    z.object({
      name: z.string(),
      clientId: z.string(),
      tenantId: z.string(),
      authorityHost: z.string(),
      objectId: z.optional(z.string()),
      resourceId: z.optional(z.string()),
      isDefault: z.boolean(),
      /** Absent: any. */
      resources: z.optional(z.array(z.string())),
      prefetch: z.array(z.string()),
    }),
  ),
  /** Whether requests may name client ids that are not among the identities. */
  allowsUnlistedClientIds: z.boolean(),
  assertions: z.array(
    z.object({
      file: z.string(),
      /** Absent when it cannot be read. */
      claims: z.optional(
        z.object({
          issuer: z.string(),
          subject: z.string(),
          audience: z.array(z.string()),
          expiresAt: instant,
        }),
      ),
      failure: z.optional(Failure),
    }),
  ),
  tokens: z.array(
    z.object({
      identity: z.string(),
      clientId: z.string(),
      resource: z.string(),
      scope: z.string(),
      /** Absent when none is held. */
      held: z.optional(z.object({ obtainedAt: instant, expiresAt: instant })),
      nextTryAt: instant,
      consecutiveFailures: count,
      failure: z.optional(Failure),
    }),
  ),
  exchanges: z.array(
    z.object({
      at: instant,
      identity: z.string(),
      resource: z.string(),
      durationMs: count,
      failure: z.optional(Failure),
      /** What Entra ID means by its code, where that is known. */
      meaning: z.optional(z.string()),
    }),
  ),
  refusals: z.array(
    z.object({
      lastAt: instant,
      count,
      dialect: z.string(),
      client: z.string(),
      clientVersion: z.string(),
      failure: Failure,
    }),
  ),
  clients: z.array(
    z.object({
      client: z.string(),
      title: z.string(),
      version: z.string(),
      requests: count,
      firstSeenAt: instant,
      lastSeenAt: instant,
      /** The version from which the library speaks workload identity; absent: not known. */
      workloadIdentitySince: z.optional(z.string()),
      /** Whether this version does; absent: not known. */
      supportsWorkloadIdentity: z.optional(z.boolean()),
      advice: z.string(),
    }),
  ),
  settings: z.array(
    z.object({
      name: z.string(),
      /** Credentials read [redacted]. */
      value: z.string(),
      origin: z.enum(['environment', 'default']),
    }),
  ),
  warnings: z.array(z.string()),
})

export type StatusDocument = z.infer<typeof StatusSchema>
