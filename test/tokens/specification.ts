/** What a token cache promises, checked by what went into it and what came out of it. */
import { expect } from 'vitest'
import { type ErrorCode, ERROR_KINDS, toBrokerError } from '../../src/errors.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../../src/tokens/token.ts'
import type { Heard } from './callers.ts'

/** One exchange of one key, as seen from outside the cache. Instants are monotonic. */
interface Exchange {
  readonly startedAt: number
  endedAt?: number
  token?: AccessToken
  error?: { readonly code: ErrorCode; readonly retryAfterMs: number }
}

/** What one caller did, from outside the cache. */
interface Call {
  readonly request: TokenRequest
  readonly askedAt: number
  /** The token that it had to get at once. */
  readonly owed: AccessToken | undefined
  /** It had to be tried for, or wait for a try under way. */
  readonly isTryDue: boolean
}

interface Specification {
  /** The source for the cache under test. */
  readonly watch: (source: TokenSource) => TokenSource
  /** Looks at the state before a caller asks. */
  readonly call: (request: TokenRequest) => Call
  /** Checks what the caller heard, when it hears it. */
  readonly heard: (call: Call, answer: Heard) => void
  readonly assertionChanged: () => void
  readonly clockJumped: () => void
  /** Checks all exchanges that were made. */
  readonly checkPace: () => void
}

/** A token with less life than this is of no use; tokens that have more are. */
const USELESS_MS = 500
/** The longest that a failure answers callers without a new try: 30 s where changes propagate. */
const LONGEST_REFUSAL_MS = 30_000
const REFUSAL_MS = 10_000
const LONGEST_FORCED_WAIT_MS = 2000

const now = () => performance.now()

const leftOf = (token: AccessToken) =>
  Math.min(token.expiresAt - Date.now(), token.expiresAtMonotonic - now())

export function specification(): Specification {
  const histories = new Map<string, Exchange[]>()
  const assertionChanges: number[] = []
  const jumps: number[] = []
  const forcedAt = new Map<string, number[]>()

  const historyOf = ({ scope }: TokenRequest) => {
    const history = histories.get(scope) ?? []
    histories.set(scope, history)
    return history
  }

  function watch(source: TokenSource): TokenSource {
    return async (request) => {
      const history = historyOf(request)
      // At most one flight per key.
      expect(history.every(({ endedAt }) => endedAt !== undefined)).toBe(true)
      const exchange: Exchange = { startedAt: now() }
      history.push(exchange)
      try {
        const token = await source(request)
        if (leftOf(token) >= USELESS_MS) exchange.token = token
        else exchange.error = { code: 'entra_bad_response', retryAfterMs: 0 }
        return token
      } catch (thrown) {
        const { code, retryAfterMs = 0 } = toBrokerError(thrown)
        exchange.error = { code, retryAfterMs: ERROR_KINDS[code].permanent ? 0 : retryAfterMs }
        throw thrown
      } finally {
        exchange.endedAt = now()
      }
    }
  }

  function call(request: TokenRequest): Call {
    const history = historyOf(request)
    const held = history.findLast(({ token }) => token !== undefined)?.token
    const owed = held !== undefined && leftOf(held) >= USELESS_MS ? held : undefined
    if (request.bypassCache === true) {
      forcedAt.set(request.scope, [...(forcedAt.get(request.scope) ?? []), now()])
    }
    const last = history.at(-1)
    const isTryDue =
      last?.error === undefined || now() - (last.endedAt ?? now()) > longestRefusal(last.error)
    return { request, askedAt: now(), owed, isTryDue }
  }

  function heard({ request, askedAt, owed, isTryDue }: Call, answer: Heard): void {
    if (answer.ok) {
      const given = historyOf(request).find(({ token }) => token?.secret.reveal() === answer.said)
      // Never a token of another key, never one without life.
      expect(given?.token).toBeDefined()
      expect(given?.token && leftOf(given.token)).toBeGreaterThan(0)
    }
    if (owed !== undefined && leftOf(owed) >= USELESS_MS) {
      // Never a failure, and never a wait but for what the caller asked for.
      expect(answer.ok).toBe(true)
      expect(answer.tookMs).toBeLessThanOrEqual(request.bypassCache ? LONGEST_FORCED_WAIT_MS : 0)
      return
    }
    if (owed !== undefined || answer.tookMs > 0 || answer.ok) return
    // Refused at once: the last try failed, and the next one is not due for longer than it may be.
    expect(historyOf(request).some(({ startedAt }) => startedAt <= askedAt)).toBe(true)
    expect(answer.retryAfterMs).toBeGreaterThanOrEqual(0)
    const wasTried = historyOf(request).some(({ startedAt }) => startedAt === askedAt)
    expect(isTryDue && !wasTried && !isUnderwayAt(request, askedAt)).toBe(false)
  }

  function isUnderwayAt(request: TokenRequest, at: number): boolean {
    return historyOf(request).some(
      ({ startedAt, endedAt = Infinity }) => startedAt <= at && at <= endedAt,
    )
  }

  function checkPace(): void {
    for (const [scope, history] of histories) {
      for (const [index, { startedAt, endedAt = now(), error }] of history.entries()) {
        const next = history[index + 1]
        if (next === undefined) continue
        const isBetween = (at: number) => startedAt <= at && at <= next.startedAt
        const gap = next.startedAt - endedAt
        const isMended = assertionChanges.some(isBetween)
        const isJump = jumps.some(isBetween)
        const isForced = forcedAt.get(scope)?.some(isBetween) ?? false
        // A failure is not repeated sooner than it may be, unless something was mended.
        if (error !== undefined && !isMended) {
          expect(gap).toBeGreaterThanOrEqual(Math.max(250, error.retryAfterMs))
        }
        // A success is not, unless its token was of no use any more, or not wanted.
        if (error === undefined && !isForced && !isJump) {
          expect(next.startedAt - startedAt).toBeGreaterThanOrEqual(USELESS_MS)
        }
      }
    }
  }

  return {
    watch,
    call,
    heard,
    checkPace,
    assertionChanged: () => assertionChanges.push(now()),
    clockJumped: () => jumps.push(now()),
  }
}

function longestRefusal({ code, retryAfterMs }: NonNullable<Exchange['error']>): number {
  const longest = ERROR_KINDS[code].permanent ? REFUSAL_MS : LONGEST_REFUSAL_MS
  return Math.max(longest, 1.2 * retryAfterMs)
}
