/** The problems of a sidecar: why its state is not ready. */
import { BrokerError } from '../../lib/errors.ts'
import { createExpiredError } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { type Identity, type IdentityDirectory, WITHOUT_IDENTITY } from '../identities.ts'
import { firstItems } from '../../lib/printable.ts'
import { scrub } from '../../lib/secret.ts'
import type { Clock } from '../tokens/clock.ts'
import { toWallTimes } from '../tokens/lifetime.ts'
import { type TokenRequest, toResource } from '../tokens/token.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import type { ReadinessState } from './readiness.ts'

interface ProblemSources {
  readonly readiness: Pick<ReadinessState, 'ready' | 'reasons'>
  readonly entries: readonly CacheEntry[]
  readonly assertions: ReadonlyMap<string, AssertionState>
  readonly directory: Pick<IdentityDirectory, 'identities'>
  readonly clock: Clock
  /** How far the wall clock is ahead of Entra's, in milliseconds; undefined before the first exchange. */
  readonly skewMs: number | undefined
}

/** Why a sidecar is not in state ready: one fault, and the tokens that it concerns. */
export interface Problem {
  /** One sentence without a full stop. */
  readonly summary: string
  readonly error?: BrokerError
  /** The identity whose tokens it concerns; undefined: every identity. */
  readonly identity?: Identity
  /** Scrubbed; undefined: all. */
  readonly resources?: readonly string[]
  /** Failed exchanges in a row, of the token with the most. */
  readonly failures?: number
  /** When it began, on the monotonic clock: the first of these exchanges, or reading the projected token, failed. */
  readonly failingSince?: number
  /** When the first of the cached tokens that it concerns expires, in epoch milliseconds; undefined: none is cached. */
  readonly servedUntil?: number
  /** The tokens that are not cached, if others are: requests for them fail meanwhile. */
  readonly withoutToken?: readonly Pick<TokenRequest, 'identity' | 'scope'>[]
  /** When the first of them is tried again, on the monotonic clock. */
  readonly nextAttemptAt?: number
}

interface AssertionProblem extends Problem {
  readonly file: string
}

/** Returns the problems, the most urgent first. */
export function findProblems(sources: ProblemSources): readonly Problem[] {
  const { readiness, entries, directory, clock } = sources
  const assertionProblems = findAssertionProblems(sources)
  if (!readiness.ready) {
    return readiness.reasons.map(
      ({ summary, file }) =>
        assertionProblems.find((problem) => problem.file === file) ?? { summary },
    )
  }
  const hasToken = entries.some(({ token }) => token !== undefined)
  const unexplained = entries.filter((entry) => !isExplained(entry, assertionProblems))
  return [
    ...assertionProblems,
    ...(directory.identities.length === 0 && !hasToken ? [NO_IDENTITY] : []),
    ...findTokenProblems(unexplained, clock),
  ].toSorted(compareUrgency)
}

/**
 * Compares the urgency of two problems: what fails requests now, the longest first; then what will when a cached
 * token expires, the next one first.
 */
function compareUrgency(a: Problem, b: Problem): number {
  return failsAt(a) - failsAt(b) || (a.failingSince ?? -Infinity) - (b.failingSince ?? -Infinity)
}

function failsAt({ servedUntil = 0, withoutToken }: Problem): number {
  return withoutToken === undefined ? servedUntil : 0
}

const NO_IDENTITY: Problem = {
  summary: WITHOUT_IDENTITY.problem,
  error: new BrokerError('identity_not_found', WITHOUT_IDENTITY.problem, WITHOUT_IDENTITY),
}

/** Returns a problem for each projected token that cannot be used, with the tokens that fail for this reason. */
function findAssertionProblems(sources: ProblemSources): AssertionProblem[] {
  const { assertions, entries, clock } = sources
  return [...assertions].flatMap(([file, state]) => {
    const failure = findAssertionFailure(file, state, sources)
    if (failure === undefined) return []
    const { error, since } = failure
    const concerned = entries.filter(({ request: { identity } }) => identity.tokenFile === file)
    const explained = concerned.filter(({ failure: own }) => own?.error.code === error.code)
    const withoutToken = explained
      .filter(({ token }) => token === undefined)
      .map(({ request }) => request)
    const served = findServedUntil(concerned, clock)
    return {
      summary: scrub(error.problem),
      error,
      file,
      // A request can find the fault before the file is read again.
      failingSince: Math.min(since, ...explained.flatMap(({ failure: own }) => own?.since ?? [])),
      ...served,
      ...(served.servedUntil !== undefined && withoutToken.length > 0 && { withoutToken }),
    }
  })
}

/**
 * Returns why a projected token cannot be used, and since when on the monotonic clock; undefined if it can. Entra's
 * clock says whether it has expired, as far as it is known.
 */
function findAssertionFailure(
  file: string,
  state: AssertionState,
  { clock, skewMs = 0 }: Pick<ProblemSources, 'clock' | 'skewMs'>,
): { readonly error: BrokerError; readonly since: number } | undefined {
  if (!state.ok) return state
  const { expiresAt } = state.assertion
  const expiredForMs = clock.wall() - skewMs - expiresAt
  if (expiredForMs < 0) return undefined
  const error = createExpiredError(file, state.assertion)
  return { error, since: clock.monotonic() - expiredForMs }
}

/** Returns true if a token fails because of a projected token, which is a problem already. */
function isExplained(
  { request: { identity }, failure }: CacheEntry,
  problems: readonly AssertionProblem[],
): boolean {
  return problems.some(
    ({ file, error }) => identity.tokenFile === file && failure?.error.code === error?.code,
  )
}

function findServedUntil(
  entries: readonly CacheEntry[],
  clock: Clock,
): Pick<Problem, 'servedUntil'> {
  const expiries = entries.flatMap(({ token }) =>
    token === undefined ? [] : toWallTimes(token.lifetime, clock).expiresAt,
  )
  return expiries.length === 0 ? {} : { servedUntil: Math.min(...expiries) }
}

/** Returns one problem for all tokens of an identity that fail with the same code. */
function findTokenProblems(entries: readonly CacheEntry[], clock: Clock): Problem[] {
  const failing = entries.filter(({ failure }) => failure !== undefined)
  const groups = Map.groupBy(failing, ({ request: { identity }, token, failure }) =>
    JSON.stringify([identity.clientId, failure?.error.code, token === undefined]),
  )
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first?.failure === undefined) return []
    const { identity } = first.request
    const resources = group.map(({ request: { scope } }) => scrub(toResource(scope)))
    const subject = scrub(`${firstItems(resources).join(', ')} as ${identity.name}`)
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
      ...findServedUntil(group, clock),
    }
  })
}
