/** The failed exchanges of a key since its last token: their backoff, and how long callers get the cached failure. */
import type { BrokerError } from '../../lib/errors.ts'
import { computeNegativeTtlMs, computeRetryDelayMs } from './backoff.ts'
import { type Clock, readAwakeTime, readWallOffset } from './clock.ts'

/** A failure this long after the last one was due for a retry begins a new streak. */
const STREAK_RESET_MS = 10 * 60_000
/** A retry that is due for longer is not late, but the process stood still: the failure is of another time. */
const MAX_LATE_MS = 1000

/** What a failure follows. */
interface Before {
  /** The failure before it, of the same streak if it is recent. */
  readonly last: Failure | undefined
  /** Time to live of the cached token in milliseconds; 0 without one. */
  readonly tokenTtlMs: number
  /** True for the second failure of an exchange: callers did not wait for its end. */
  readonly isSameExchange: boolean
}

export class Failure {
  /** The latest error. */
  readonly error: BrokerError
  /** Failed exchanges in a row. */
  readonly count: number
  /** When the first of them failed, on the monotonic clock, like the instants below. */
  readonly since: number
  /** True if callers had a token, so that none has waited for an exchange. */
  readonly isUnseen: boolean
  readonly #clock: Clock
  readonly #wallOffset: number
  #cachedUntil: number
  #retryAt: number

  /** Creates the failure of an exchange. `random` returns [0, 1). */
  constructor(
    error: BrokerError,
    { last, tokenTtlMs, isSameExchange }: Before,
    clock: Clock,
    random: () => number,
  ) {
    const now = clock.monotonic()
    const streak = last?.isOver === false ? last : undefined
    this.error = error
    this.count = (streak?.count ?? 0) + (isSameExchange ? 0 : 1)
    this.isUnseen = tokenTtlMs > 0
    this.since = streak?.since ?? now
    const exchange = { failures: this.count, tokenTtlMs }
    const retryDelayMs = computeRetryDelayMs(error, exchange, random)
    this.#cachedUntil = now + computeNegativeTtlMs(error, retryDelayMs, random)
    this.#retryAt = now + retryDelayMs
    this.#clock = clock
    this.#wallOffset = readWallOffset(clock)
  }

  /** The milliseconds until the cache retries by itself, if the key is in use. */
  get msUntilRetry(): number {
    return this.#retryAt - readAwakeTime(this.#wallOffset, this.#clock)
  }

  /** True once the retry is due, the time not counted in which the machine slept. */
  get isRetryDue(): boolean {
    return this.#retryAt <= this.#clock.monotonic()
  }

  /** True if the retry is due for so long that the failure says nothing about now. */
  get isStale(): boolean {
    return this.#retryAt + MAX_LATE_MS <= this.#clock.monotonic()
  }

  /**
   * For how many milliseconds callers without a token still get it (negative cache). A wall clock that is set forward
   * ends that early, once.
   */
  get ttlMs(): number {
    return Math.max(0, this.#cachedUntil - readAwakeTime(this.#wallOffset, this.#clock))
  }

  /** True once another failure would begin a new streak. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#retryAt >= STREAK_RESET_MS
  }

  endBackoff(): void {
    this.#cachedUntil = this.#clock.monotonic()
    this.#retryAt = this.#cachedUntil
  }
}
