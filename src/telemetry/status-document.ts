/** Everything there is to see of a sidecar at one moment, as plain data without a secret. */
import { hostname } from 'node:os'
import type { Config } from '../config/config.ts'
import type { BrokerError } from '../errors.ts'
import { explainAadsts } from '../exchange/aadsts.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { IdentityDirectory } from '../identities.ts'
import { scrub } from '../secret.ts'
import type { CacheEntry } from '../tokens/token-cache.ts'
import type { Clock } from '../tokens/clock.ts'
import { resourceIn } from '../tokens/token.ts'
import { supportsWorkloadIdentity, type SeenClient } from './client-inventory.ts'
import type { PastExchange, Refusals } from './history.ts'
import type { Readiness } from './status.ts'
import { stateOf } from './state.ts'
import type { StatusDocument } from './status-schema.ts'

interface StatusSources {
  readonly version: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly clock: Clock
  readonly config: Pick<Config, 'directory' | 'warnings'>
  readonly readiness: Readiness
  readonly entries: readonly CacheEntry[]
  readonly assertions: ReadonlyMap<string, AssertionState>
  readonly exchanges: readonly PastExchange[]
  readonly refusals: readonly Refusals[]
  readonly clients: readonly SeenClient[]
  readonly skewMs: number | undefined
  readonly logLevel: StatusDocument['logLevel']
  readonly settings: StatusDocument['settings']
}

type Failure = NonNullable<StatusDocument['tokens'][number]['failure']>

/** The document of `/status.json`. Texts of others have passed the scrubber. */
export function statusDocument(sources: StatusSources): StatusDocument {
  const { version, startedAt, clock, config, entries, assertions, skewMs } = sources
  const wall = clock.wall()
  const monotonic = clock.monotonic()
  /** A moment of the monotonic clock, on the wall clock. */
  const onWall = (at: number) => wall + at - monotonic
  return {
    schemaVersion: 1,
    generatedAt: instant(wall),
    workload: workloadOf(assertions),
    build: { version, node: process.version },
    startedAt: instant(startedAt),
    ...stateOf({ readiness: sources.readiness, entries, assertions, clock }),
    logLevel: sources.logLevel,
    ...(skewMs !== undefined && { clockSkewSeconds: Math.round(skewMs / 100) / 10 }),
    identities: identitiesOf(config.directory),
    allowsUnlistedClientIds: config.directory.unlisted !== undefined,
    assertions: [...assertions].map(assertionOf),
    tokens: entries.map((entry) => tokenOf(entry, onWall)),
    exchanges: sources.exchanges.map(exchangeOf),
    refusals: sources.refusals.map(refusalOf),
    clients: sources.clients.map(clientOf),
    settings: sources.settings,
    warnings: config.warnings.map(scrub),
  }
}

/** The subject of a projected token is `system:serviceaccount:NAMESPACE:NAME`. */
function workloadOf(assertions: ReadonlyMap<string, AssertionState>): StatusDocument['workload'] {
  const host = hostname()
  for (const state of assertions.values()) {
    const parts = state.ok ? state.assertion.subject.split(':') : []
    const [, kind, namespace, serviceAccount] = parts
    if (kind === 'serviceaccount' && namespace !== undefined && serviceAccount !== undefined) {
      return { host, namespace, serviceAccount }
    }
  }
  return { host }
}

function identitiesOf(directory: IdentityDirectory): StatusDocument['identities'] {
  return directory.identities.map((identity) => {
    const { name, clientId, tenantId, authorityHost, objectId, resourceId } = identity
    const { resources, prefetch } = identity
    return {
      name,
      clientId,
      tenantId,
      authorityHost,
      ...(objectId !== undefined && { objectId }),
      ...(resourceId !== undefined && { resourceId }),
      isDefault: identity === directory.defaultIdentity,
      ...(resources !== undefined && { resources: [...resources] }),
      prefetch: [...prefetch],
    }
  })
}

function assertionOf([file, state]: readonly [string, AssertionState]) {
  if (!state.ok) return { file, failure: failureOf(state.error) }
  const { issuer, subject, audience, expiresAt } = state.assertion
  return {
    file,
    claims: { issuer, subject, audience: [...audience], expiresAt: instant(expiresAt) },
  }
}

function tokenOf(
  { request: { identity, scope }, token, failure, nextTryAt }: CacheEntry,
  onWall: (at: number) => number,
): StatusDocument['tokens'][number] {
  return {
    identity: identity.name,
    clientId: identity.clientId,
    resource: scrub(resourceIn(scope)),
    scope: scrub(scope),
    ...(token !== undefined && {
      held: { obtainedAt: instant(token.obtainedAt), expiresAt: instant(token.expiresAt) },
    }),
    nextTryAt: instant(onWall(nextTryAt)),
    consecutiveFailures: failure?.count ?? 0,
    ...(failure !== undefined && { failure: failureOf(failure.error) }),
  }
}

function exchangeOf({
  endedAt,
  request: { identity, scope },
  durationMs,
  outcome,
}: PastExchange): StatusDocument['exchanges'][number] {
  const past = {
    at: instant(endedAt),
    identity: identity.name,
    resource: scrub(resourceIn(scope)),
    durationMs: Math.round(durationMs),
  }
  if (outcome.ok) return past
  const { aadsts } = outcome.error.entra ?? {}
  const meaning = aadsts === undefined ? undefined : explainAadsts(aadsts)?.explanation
  return { ...past, failure: failureOf(outcome.error), ...(meaning !== undefined && { meaning }) }
}

function refusalOf({
  lastAt,
  count,
  dialect,
  client,
  error,
}: Refusals): StatusDocument['refusals'][number] {
  return {
    lastAt: instant(lastAt),
    count,
    dialect,
    client: client.family.id,
    clientVersion: client.version,
    failure: failureOf(error),
  }
}

function clientOf(client: SeenClient): StatusDocument['clients'][number] {
  const { family, version, requests, firstSeenAt, lastSeenAt } = client
  const speaks = supportsWorkloadIdentity(family, version)
  return {
    client: family.id,
    title: family.title,
    version,
    requests,
    firstSeenAt: instant(firstSeenAt),
    lastSeenAt: instant(lastSeenAt),
    ...(family.workloadIdentitySince !== undefined && {
      workloadIdentitySince: family.workloadIdentitySince,
    }),
    ...(speaks !== undefined && { supportsWorkloadIdentity: speaks }),
    advice: family.advice,
  }
}

/** Messages can hold text of other servers and of callers. */
function failureOf({ code, message, entra = {} }: BrokerError): Failure {
  const { aadsts, traceId, correlationId } = entra
  return {
    code,
    message: scrub(message),
    ...(aadsts !== undefined && { aadsts }),
    ...(traceId !== undefined && { entraTraceId: scrub(traceId) }),
    ...(correlationId !== undefined && { entraCorrelationId: scrub(correlationId) }),
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
