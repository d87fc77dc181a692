/** The specification of the token cache, checked from outside: by its requests and its answers. */
import { expect } from 'vitest'
import { type ErrorCode, ERROR_KINDS, toBrokerError } from '../../../src/lib/errors.ts'
import type { StartExchange } from '../../../src/broker/tokens/attempts.ts'
import type { AccessToken, CacheRequest, TokenRequest } from '../../../src/broker/tokens/token.ts'
import type { Answer } from './callers.ts'
import { TIMEOUT_MS } from './setup.ts'

/** One exchange of one key. Instants are on the monotonic clock. */
interface Exchange {
  readonly startedAt: number
  endedAt?: number
  token?: AccessToken
  /**
   * True if the cache may have dropped the token although it is valid: it had expired when the clock was set, or its key was
   * removed or got another way of exchange before the token came.
   */
  isDropped?: boolean
  error?: { readonly code: ErrorCode; readonly retryAfterMs: number }
}

/** One request of one caller. */
interface Call {
  readonly request: CacheRequest
  readonly askedAt: number
  /** The token that the caller must get within `maxWaitMs`. */
  readonly owed: AccessToken | undefined
  readonly maxWaitMs: number
  /** True if the request must start an exchange or wait for a running one. */
  readonly isExchangeDue: boolean
}

interface Specification {
  /** Wraps the exchanges of the cache under test. */
  readonly watch: (start: StartExchange) => StartExchange
  /** Records the state before a caller asks. */
  readonly call: (request: CacheRequest) => Call
  /** Checks the answer when the caller gets it. */
  readonly check: (call: Call, answer: Answer) => void
  readonly assertionRotated: () => void
  /** Records that all keys are exchanged in another way from now on, and keep their tokens. */
  readonly exchangeChanged: () => void
  /** Records the state before the wall clock is set. */
  readonly clockJumped: () => void
  /** Records that the key of this request is removed, with its token and failure. */
  readonly removed: (request: TokenRequest) => void
  /** Checks the intervals between all exchanges. */
  readonly checkBackoff: () => void
}

/** A token with less time to live than this counts as expired. */
const MIN_TTL_MS = 500
/** The longest time that a failure is cached, which is while changes propagate in Entra ID. */
const MAX_NEGATIVE_TTL_MS = 30_000
const PERMANENT_NEGATIVE_TTL_MS = 10_000
const MAX_REPLACE_WAIT_MS = 2000
/** Callers may wait for a new token if the cached one has less time to live than this, or less than a sixth of its lifetime. */
const ENDING_MS = 30_000

const now = () => performance.now()

const ttlOf = ({ lifetime: { startsAt, lengthMs, wallOffset } }: AccessToken) =>
  startsAt + lengthMs - Math.max(now(), Date.now() - wallOffset)

export function specification(): Specification {
  const histories = new Map<string, Exchange[]>()
  const rotations: number[] = []
  const jumps: number[] = []
  const bypassedAt = new Map<string, number[]>()
  const removedAt = new Map<string, number[]>()

  const historyOf = ({ scope }: TokenRequest) => {
    const history = histories.get(scope) ?? []
    histories.set(scope, history)
    return history
  }

  function watch(start: StartExchange): StartExchange {
    return (request) => {
      const history = historyOf(request)
      // Single flight, until the key is removed or exchanged in another way.
      expect(history.every((each) => each.endedAt !== undefined || each.isDropped)).toBe(true)
      const exchange: Exchange = { startedAt: now() }
      history.push(exchange)
      const started = start(request)
      const end = (outcome: Pick<Exchange, 'token' | 'error'>) =>
        Object.assign(exchange, { endedAt: now() }, outcome)
      // This runs before the cache gets the outcome, since the cache may start the next exchange.
      void started.token.then(
        (token) => end({ token }),
        (thrown: unknown) => {
          const { code, retryAfterMs = 0 } = toBrokerError(thrown)
          const isPermanent = ERROR_KINDS[code].permanent
          return end({ error: { code, retryAfterMs: isPermanent ? 0 : retryAfterMs } })
        },
      )
      return started
    }
  }

  function call(request: CacheRequest): Call {
    const history = historyOf(request)
    const { token: held, isDropped } = history.findLast(({ token }) => token !== undefined) ?? {}
    const isOwed = held !== undefined && isDropped !== true && ttlOf(held) >= MIN_TTL_MS
    const owed = isOwed ? held : undefined
    const isEnding =
      owed !== undefined && ttlOf(owed) < Math.min(ENDING_MS, owed.lifetime.lengthMs / 6)
    const maxWaitMs = request.bypassCache === true || isEnding ? MAX_REPLACE_WAIT_MS : 0
    if (request.bypassCache === true) {
      bypassedAt.set(request.scope, [...(bypassedAt.get(request.scope) ?? []), now()])
    }
    const last = history.at(-1)
    const isExchangeDue =
      last?.error === undefined || now() - (last.endedAt ?? now()) > maxNegativeTtl(last.error)
    return { request, askedAt: now(), owed, maxWaitMs, isExchangeDue }
  }

  function check({ request, askedAt, owed, maxWaitMs, isExchangeDue }: Call, answer: Answer): void {
    expect(answer.tookMs).toBeLessThanOrEqual(TIMEOUT_MS)
    if (answer.ok) {
      const given = historyOf(request).find(({ token }) => token?.secret.reveal() === answer.text)
      // No caller gets the token of another key, or an expired one.
      expect(given?.token).toBeDefined()
      expect(given?.token && ttlOf(given.token)).toBeGreaterThan(0)
    }
    if (owed !== undefined && ttlOf(owed) >= MIN_TTL_MS) {
      // No caller gets a failure, and none waits unless it bypasses the cache or the token ends soon.
      expect(answer.ok).toBe(true)
      expect(answer.tookMs).toBeLessThanOrEqual(maxWaitMs)
      return
    }
    if (owed !== undefined || answer.tookMs > 0 || answer.ok) return
    // Cached failure: an exchange has failed, and the next one is not overdue.
    expect(historyOf(request).some(({ startedAt }) => startedAt <= askedAt)).toBe(true)
    // The error allows an immediate retry only while the next exchange runs.
    if (!isInflightAt(request, askedAt)) expect(answer.retryAfterMs).toBeGreaterThan(0)
    const { error, endedAt = 0 } = historyOf(request).at(-1) ?? {}
    if (error !== undefined) {
      // No Retry-After is longer than the failure can be cached.
      const cachedUntil = endedAt + maxNegativeTtl(error)
      expect(answer.retryAfterMs).toBeLessThanOrEqual(cachedUntil - askedAt)
    }
    const wasExchanged = historyOf(request).some(({ startedAt }) => startedAt === askedAt)
    expect(isExchangeDue && !wasExchanged && !isInflightAt(request, askedAt)).toBe(false)
  }

  function isInflightAt(request: TokenRequest, at: number): boolean {
    return historyOf(request).some(
      ({ startedAt, endedAt = Infinity }) => startedAt <= at && at <= endedAt,
    )
  }

  function checkBackoff(): void {
    for (const [scope, history] of histories) {
      for (const [index, exchange] of history.entries()) {
        const { startedAt, endedAt = now(), error } = exchange
        const next = history[index + 1]
        if (next === undefined) continue
        const isBetween = (at: number) => startedAt <= at && at <= next.startedAt
        const gap = next.startedAt - endedAt
        const isRotated = rotations.some(isBetween)
        const isJump = jumps.some(isBetween)
        const isBypassed = bypassedAt.get(scope)?.some(isBetween) ?? false
        const isRemoved = removedAt.get(scope)?.some(isBetween) ?? false
        // No retry starts before the backoff ends, unless the projected token was rotated or the key removed.
        if (error !== undefined && !isRotated && !isRemoved) {
          expect(gap).toBeGreaterThanOrEqual(Math.max(250, error.retryAfterMs))
        }
        // No exchange starts right after a token, unless the token expired or was dropped, or a caller bypassed the cache.
        if (error === undefined && !isBypassed && !isJump && exchange.isDropped !== true) {
          expect(next.startedAt - startedAt).toBeGreaterThanOrEqual(MIN_TTL_MS)
        }
      }
    }
  }

  function clockJumped(): void {
    jumps.push(now())
    for (const exchange of [...histories.values()].flat()) {
      if (exchange.token && ttlOf(exchange.token) < MIN_TTL_MS) exchange.isDropped = true
    }
  }

  function exchangeChanged(): void {
    rotations.push(now())
    for (const exchange of [...histories.values()].flat()) {
      if (exchange.endedAt === undefined) exchange.isDropped = true
    }
  }

  function removed({ scope }: TokenRequest): void {
    removedAt.set(scope, [...(removedAt.get(scope) ?? []), now()])
    for (const exchange of histories.get(scope) ?? []) exchange.isDropped = true
  }

  return {
    watch,
    call,
    check,
    checkBackoff,
    assertionRotated: () => rotations.push(now()),
    exchangeChanged,
    clockJumped,
    removed,
  }
}

function maxNegativeTtl({ code, retryAfterMs }: NonNullable<Exchange['error']>): number {
  const longest = ERROR_KINDS[code].permanent ? PERMANENT_NEGATIVE_TTL_MS : MAX_NEGATIVE_TTL_MS
  return Math.max(longest, 1.2 * retryAfterMs)
}
