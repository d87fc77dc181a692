/** The status document: everything that people can see of a sidecar at one moment, without a secret. */
import { hostname } from 'node:os'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { describeSkew, isSkewed, SKEW_FIX } from '../exchange/clock-skew.ts'
import type { IdentityDirectory } from '../identities.ts'
import { scrub } from '../../lib/secret.ts'
import { type Clock, toWallTimes } from '../tokens/lifetime.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import { VERSION } from '../../lib/version.ts'
import type { SeenClient } from './clients.ts'
import { describeFailure } from '../../service/describe-failure.ts'
import { describeClaims, describeResource, formatInstant } from './describe.ts'
import { type SidecarState, summarize } from './find-problems.ts'
import type { StatusDocument } from './status-schema.ts'

/** One or more events of the same kind. */
export interface Past<T> {
  readonly latest: T
  /** Time of the latest event, on the monotonic clock. */
  readonly at: number
  readonly count: number
}

export type PastExchange = Omit<StatusDocument['exchanges'][number], 'at' | 'count'>
export type FailedRequest = Omit<StatusDocument['failedRequests'][number], 'lastAt' | 'count'>

interface StatusSources extends Pick<StatusDocument, 'logLevel' | 'settings'> {
  readonly state: SidecarState
  /** On the monotonic clock. */
  readonly startedAt: number
  /** The latest first. */
  readonly exchanges: Iterable<Past<PastExchange>>
  readonly failedRequests: Iterable<Past<FailedRequest>>
}

/** Creates the document of `/status.json`. Texts from callers and other servers are scrubbed. */
export function createStatusDocument(sources: StatusSources): StatusDocument {
  const { state, startedAt } = sources
  const { clock } = state
  const config = state.config()
  const assertions = state.assertions()
  const skewMs = state.skewMs()
  return {
    schemaVersion: 1,
    generatedAt: new Date(clock.wall()).toISOString(),
    workload: { ...describeWorkload(assertions), inPod: config.isInPod },
    build: { version: VERSION, node: process.version },
    startedAt: formatInstant(startedAt, clock),
    ...summarize(state),
    logLevel: sources.logLevel,
    clockSkewSeconds: skewMs === undefined ? undefined : Math.round(skewMs / 100) / 10,
    identities: describeIdentities(config.directory),
    allowsUnlistedClientIds: config.directory.unlisted !== undefined,
    assertions: [...assertions].map(describeAssertion),
    tokens: state.entries().map((entry) => describeToken(entry, clock)),
    exchanges: [...sources.exchanges].map(({ latest, at, count }) => ({
      at: formatInstant(at, clock),
      count,
      ...latest,
    })),
    failedRequests: [...sources.failedRequests].map(({ latest, at, count }) => ({
      lastAt: formatInstant(at, clock),
      count,
      ...latest,
    })),
    clients: state.clients().map((client) => describeClient(client, clock)),
    settings: sources.settings,
    warnings: [
      ...[...config.warnings, state.reloadProblem() ?? []].flat().map(scrub),
      ...(isSkewed(skewMs) ? [`${describeSkew(skewMs)}. Fix: ${SKEW_FIX}`] : []),
    ],
  }
}

/** The page shows the names in a command, so only valid names of Kubernetes match. */
const SUBJECT = /^system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)$/

/** Reads the namespace and the service account of the first projected token with such a subject. */
function describeWorkload(
  assertions: ReadonlyMap<string, AssertionState>,
): Omit<StatusDocument['workload'], 'inPod'> {
  const host = hostname()
  for (const state of assertions.values()) {
    const subject = state.ok ? state.assertion.subject : state.lastSubject
    const [, namespace, serviceAccount] = SUBJECT.exec(subject ?? '') ?? []
    if (serviceAccount !== undefined) return { host, namespace, serviceAccount }
  }
  return { host }
}

export function describeIdentities(directory: IdentityDirectory): StatusDocument['identities'] {
  return directory.identities.map((identity) => {
    const { name, clientId, tenantId, authorityHost, resourceId } = identity
    const { tokenFile, resources } = identity
    return {
      name,
      clientId,
      tenantId,
      authorityHost,
      resourceId,
      tokenFile,
      isDefault: identity === directory.defaultIdentity,
      resources: resources && [...resources],
    }
  })
}

export function describeAssertion([file, state]: readonly [string, AssertionState]) {
  if (!state.ok) return { file, failure: describeFailure(state.error) }
  return { file, claims: describeClaims(state.assertion) }
}

function describeToken(
  { request: { identity, scope }, token, failure, nextAttemptAt }: CacheEntry,
  clock: Clock,
): StatusDocument['tokens'][number] {
  const times = token && toWallTimes(token.lifetime, clock)
  return {
    identity: identity.name,
    clientId: identity.clientId,
    resource: describeResource(scope),
    cached: times && {
      obtainedAt: new Date(times.obtainedAt).toISOString(),
      expiresAt: new Date(times.expiresAt).toISOString(),
    },
    nextAttemptAt: formatInstant(nextAttemptAt, clock),
    consecutiveFailures: failure?.count ?? 0,
    failure: failure && describeFailure(failure.error),
  }
}

function describeClient(client: SeenClient, clock: Clock): StatusDocument['clients'][number] {
  const { library, version, requests, lastSeenAt } = client
  return {
    client: library,
    version,
    requests,
    lastSeenAt: formatInstant(lastSeenAt, clock),
  }
}
