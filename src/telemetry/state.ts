/** The state of a sidecar in one word, with the problems behind it. */
import { BrokerError } from '../errors.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { Identity, IdentityDirectory } from '../identities.ts'
import { firstItems } from '../lib/first-items.ts'
import { scrub } from '../secret.ts'
import type { Clock } from '../tokens/clock.ts'
import { toResource } from '../tokens/token.ts'
import type { CacheEntry } from '../tokens/token-cache.ts'
import type { ReadinessState } from './readiness.ts'
import type { StatusDocument } from './status-schema.ts'

interface StateSources {
  readonly readiness: Pick<ReadinessState, 'ready' | 'reasons'>
  readonly entries: readonly CacheEntry[]
  readonly assertions: ReadonlyMap<string, AssertionState>
  readonly directory: Pick<IdentityDirectory, 'identities'>
  readonly clock: Clock
}

/** Why a sidecar is not in state ready: one fault, and the tokens that it concerns. */
export interface Problem {
  /** One sentence without a full stop. */
  readonly summary: string
  readonly error?: BrokerError
  /** Whose tokens it concerns; undefined: those of every identity. */
  readonly identity?: Identity
  /** Scrubbed; undefined: all. */
  readonly resources?: readonly string[]
  /** Failed exchanges in a row, of the token with the most. */
  readonly failures?: number
  /** When the first of these exchanges failed, on the monotonic clock. */
  readonly failingSince?: number
  /** When the first of the cached tokens that it concerns expires, in epoch milliseconds; undefined: none is cached. */
  readonly servedUntil?: number
  /** When the first of them is tried again, on the monotonic clock. */
  readonly nextAttemptAt?: number
}

interface FoundState {
  readonly state: StatusDocument['state']
  /** Those without a cached token first, then by the expiry of the token. */
  readonly problems: readonly Problem[]
}

/** Returns the state as the status schema defines it, with the problems that explain it. */
export function findState(sources: StateSources): FoundState {
  const { readiness, entries, assertions, directory, clock } = sources
  if (!readiness.ready) {
    return { state: 'starting', problems: findStartProblems(readiness.reasons, assertions) }
  }
  const failing = entries.filter(({ failure }) => failure !== undefined)
  const hasToken = entries.some(({ token }) => token !== undefined)
  const problems = [
    ...findAssertionProblems(assertions, entries, clock.wall()),
    ...(directory.identities.length === 0 && !hasToken ? [NO_IDENTITY] : []),
    ...findTokenProblems(failing),
  ]
  if (problems.length === 0) return { state: 'ready', problems }
  const byUrgency = problems.toSorted((a, b) => (a.servedUntil ?? 0) - (b.servedUntil ?? 0))
  // A resource that Entra ID refuses says nothing about the tokens for others.
  const concernsResourcesAlone = problems.every(({ error }) => error?.code === 'resource_refused')
  return {
    state: hasToken || concernsResourcesAlone ? 'degraded' : 'failing',
    problems: byUrgency,
  }
}

/** Returns the problem in one sentence, with its error code unless the sentence is the error itself. */
export function describeProblem({ summary, error }: Problem): string {
  return error === undefined || summary === scrub(error.message)
    ? summary
    : `${summary}: ${error.code}`
}

const NO_IDENTITY: Problem = {
  summary: 'no identity is configured, so a request without client_id gets no token',
  error: new BrokerError(
    'identity_not_found',
    'no identity is configured. Fix: set AZURE_CLIENT_ID to the client id of the managed identity or application, or list identities in the file of WIMDS_CONFIG',
  ),
}

function findStartProblems(
  reasons: readonly string[],
  assertions: ReadonlyMap<string, AssertionState>,
): Problem[] {
  const errors = [...assertions.values()].flatMap((state) => (state.ok ? [] : state.error))
  return reasons.map((summary) => {
    const error = errors.find(({ message }) => scrub(message) === summary)
    return { summary, ...(error !== undefined && { error }) }
  })
}

function findAssertionProblems(
  assertions: ReadonlyMap<string, AssertionState>,
  entries: readonly CacheEntry[],
  now: number,
): Problem[] {
  return [...assertions].flatMap(([file, state]) => {
    const served = findServedUntil(
      entries.filter(({ request: { identity } }) => identity.tokenFile === file),
    )
    if (!state.ok) return { summary: scrub(state.error.message), error: state.error, ...served }
    if (state.assertion.expiresAt > now) return []
    const summary = `the projected token in ${file} has expired: check that the kubelet rotates it`
    return { summary, ...served }
  })
}

function findServedUntil(entries: readonly CacheEntry[]): Pick<Problem, 'servedUntil'> {
  const expiries = entries.flatMap(({ token }) => token?.expiresAt ?? [])
  return expiries.length === 0 ? {} : { servedUntil: Math.min(...expiries) }
}

/** Returns one problem for all tokens of an identity that fail with the same code. */
function findTokenProblems(failing: readonly CacheEntry[]): Problem[] {
  const groups = Map.groupBy(failing, ({ request: { identity }, token, failure }) =>
    JSON.stringify([identity.clientId, failure?.error.code, token === undefined]),
  )
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first?.failure === undefined) return []
    const { identity } = first.request
    const resources = group.map(({ request: { scope } }) => scrub(toResource(scope)))
    const subject = scrub(`${firstItems(resources, MAX_NAMED).join(', ')} as ${identity.name}`)
    const isSingle = group.length === 1
    return {
      summary:
        first.token === undefined
          ? `no token for ${subject}`
          : `${isSingle ? 'the token' : 'tokens'} for ${subject} cannot be refreshed and ${isSingle ? 'is' : 'are'} still served`,
      error: first.failure.error,
      identity,
      resources,
      failures: Math.max(...group.map(({ failure }) => failure?.count ?? 0)),
      failingSince: Math.min(...group.flatMap(({ failure }) => failure?.since ?? [])),
      nextAttemptAt: Math.min(...group.map(({ nextAttemptAt }) => nextAttemptAt)),
      ...findServedUntil(group),
    }
  })
}

const MAX_NAMED = 3
