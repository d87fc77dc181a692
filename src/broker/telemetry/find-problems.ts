/** The state of a sidecar, and its problems: why it is not ready. */
import type { Config } from '../config/config.ts'
import type { BrokerError } from '../../lib/errors.ts'
import { firstItems } from '../../lib/printable.ts'
import { scrub } from '../../lib/secret.ts'
import { explainError } from '../aadsts.ts'
import { createExpiredError } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import { type Clock, toWallTimes } from '../tokens/lifetime.ts'
import type { SeenClient } from './clients.ts'
import { describeFailure } from '../../service/describe-failure.ts'
import { describeResource, formatInstant } from './describe.ts'
import type { StatusDocument } from './status-schema.ts'

/** The sources of the status and of the metrics. */
export interface SidecarState {
  readonly clock: Clock
  /** Returns the configuration in force: a reload can replace it. */
  readonly config: () => Pick<Config, 'directory' | 'warnings' | 'isInPod'>
  /** Returns why the last reload of the configuration failed; undefined if it succeeded. */
  readonly reloadProblem: () => string | undefined
  readonly isReady: () => boolean
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  readonly clients: () => readonly SeenClient[]
  /** Returns how far the wall clock is ahead of Entra's, in milliseconds; undefined before the first exchange. */
  readonly skewMs: () => number | undefined
}

type Problem = StatusDocument['problems'][number]

/** Returns the state of the status document, and its problems. */
export function summarize(state: SidecarState): Pick<StatusDocument, 'state' | 'problems'> {
  const problems = findProblems(state)
  return { state: findState(state, problems), problems }
}

/** Returns the state as the schema defines it. */
function findState(state: SidecarState, problems: readonly Problem[]): StatusDocument['state'] {
  if (!state.isReady()) return 'starting'
  if (problems.length === 0) return 'ready'
  // A resource that Entra ID rejects says nothing about the tokens for other resources.
  const areRefusals = problems.every(({ failure }) => failure?.code === 'resource_refused')
  const isDegraded = areRefusals || state.entries().some(({ token }) => token !== undefined)
  return isDegraded ? 'degraded' : 'failing'
}

/** Returns the problems, the most urgent first. */
export function findProblems(state: SidecarState): Problem[] {
  const { clock } = state
  const entries = state.entries()
  const byFile = new Map(
    [...state.assertions()].map(([file, assertion]) => [
      file,
      findAssertionProblem(file, assertion, entries, state),
    ]),
  )
  const ofFiles = [...byFile.values()].flatMap((problem) => problem ?? [])
  if (!state.isReady()) return ofFiles.length === 0 ? [UNREAD] : ofFiles
  const hasToken = entries.some(({ token }) => token !== undefined)
  // The other failed entries are part of the problem of their projected token.
  const unexplained = entries.filter(
    ({ request: { identity }, failure }) =>
      failure && failure.error.code !== byFile.get(identity.tokenFile)?.failure?.code,
  )
  return [
    ...ofFiles,
    ...(state.config().directory.identities.length === 0 && !hasToken ? [NO_IDENTITY] : []),
    ...findTokenProblems(unexplained, clock),
  ].toSorted((a, b) => createSortKey(a).localeCompare(createSortKey(b)))
}

/**
 * Returns a sort key. The problems that fail requests come first, the oldest first; then the others, by the expiry of their
 * token.
 */
function createSortKey({ servedUntil = '', withoutToken, failingSince = '' }: Problem): string {
  return `${withoutToken === undefined ? servedUntil : ''} ${failingSince}`
}

/** The problem of a configuration without an identity, and its fix. */
export const WITHOUT_IDENTITY = {
  problem: 'no identity is configured, so a request without client_id gets no token',
  fix: 'set AZURE_CLIENT_ID to the client id of the managed identity or application, or list identities in the file of WIMDS_CONFIG',
}

const UNREAD: Problem = { summary: 'the projected token has not been read yet' }

const NO_IDENTITY: Problem = {
  summary: WITHOUT_IDENTITY.problem,
  failure: {
    code: 'identity_not_found',
    message: WITHOUT_IDENTITY.problem,
    fix: WITHOUT_IDENTITY.fix,
  },
}

/** Returns the problem of a projected token that cannot be used, with the tokens that fail for this reason. */
function findAssertionProblem(
  file: string,
  assertion: AssertionState,
  entries: readonly CacheEntry[],
  { clock, skewMs }: Pick<SidecarState, 'clock' | 'skewMs'>,
): Problem | undefined {
  const found = findAssertionFailure(file, assertion, clock, skewMs())
  if (found === undefined) return undefined
  const { error, since } = found
  const concerned = entries.filter(({ request: { identity } }) => identity.tokenFile === file)
  const explained = concerned.filter(({ failure }) => failure?.error.code === error.code)
  const withoutToken = explained
    .filter(({ token }) => token === undefined)
    .map(({ request: { identity, scope } }) => ({
      identity: identity.name,
      resource: describeResource(scope),
    }))
  const servedUntil = findServedUntil(concerned, clock)
  // A request can find the fault before the file is read again.
  const failingSince = Math.min(since, ...explained.flatMap(({ failure }) => failure?.since ?? []))
  return {
    summary: scrub(error.problem),
    failingSince: formatInstant(failingSince, clock),
    servedUntil,
    ...(servedUntil !== undefined && withoutToken.length > 0 && { withoutToken }),
    ...explainFailure(error),
  }
}

/**
 * Returns why a projected token cannot be used, and since when on the monotonic clock; undefined if it can be used. If the
 * clock skew is known, Entra's clock decides whether the token has expired.
 */
function findAssertionFailure(
  file: string,
  state: AssertionState,
  clock: Clock,
  skewMs = 0,
): { readonly error: BrokerError; readonly since: number } | undefined {
  if (!state.ok) return state
  const expiredForMs = clock.wall() - skewMs - state.assertion.expiresAt
  if (expiredForMs < 0) return undefined
  const error = createExpiredError(file, state.assertion)
  return { error, since: clock.monotonic() - expiredForMs }
}

/** Returns when the first of the cached tokens expires; undefined: none is cached. */
function findServedUntil(entries: readonly CacheEntry[], clock: Clock): string | undefined {
  const expiries = entries.flatMap(({ token }) =>
    token === undefined ? [] : toWallTimes(token.lifetime, clock).expiresAt,
  )
  return expiries.length === 0 ? undefined : new Date(Math.min(...expiries)).toISOString()
}

/** Returns one problem for all tokens of an identity that fail with the same code. */
function findTokenProblems(failing: readonly CacheEntry[], clock: Clock): Problem[] {
  const groups = Map.groupBy(failing, ({ request: { identity }, token, failure }) =>
    JSON.stringify([identity.clientId, failure?.error.code, token === undefined]),
  )
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first?.failure === undefined) return []
    const { identity } = first.request
    const resources = group.map(({ request: { scope } }) => describeResource(scope))
    const subject = scrub(`${firstItems(resources).join(', ')} as ${identity.name}`)
    const [noun, verb] = group.length === 1 ? ['the token', 'is'] : ['tokens', 'are']
    const failures = group.flatMap(({ failure }) => failure ?? [])
    const failingSince = Math.min(...failures.map(({ since }) => since))
    const nextAttemptAt = Math.min(...group.map((entry) => entry.nextAttemptAt))
    return {
      summary:
        first.token === undefined
          ? `no token for ${subject}`
          : `${noun} for ${subject} cannot be refreshed and ${verb} still served`,
      identity: identity.name,
      clientId: identity.clientId,
      resources,
      consecutiveFailures: Math.max(...failures.map(({ count }) => count)),
      failingSince: formatInstant(failingSince, clock),
      servedUntil: findServedUntil(group, clock),
      nextAttemptAt: formatInstant(nextAttemptAt, clock),
      ...explainFailure(first.failure.error),
    }
  })
}

/** Returns the failure, and the meaning of Entra ID's error code, where that is known. */
function explainFailure(error: BrokerError) {
  return {
    failure: describeFailure(error),
    explanation: explainError(error)?.explanation,
  }
}
