/**
 * A day of a fleet of pods, which request one token each, at least once in its lifetime, by the rules that wimds itself follows.
 * Time is simulated: pods do not depend on each other, so each is followed through its day in turn.
 */
import { BrokerError } from '../../src/lib/errors.ts'
import { computeRetryDelayMs } from '../../src/broker/tokens/failure.ts'
import { computeRefreshDelayMs } from '../../src/broker/tokens/lifetime.ts'
import { seeded } from './random.ts'

export interface TokenKind {
  /** Lives are spread evenly between the two. */
  readonly lifetimeMs: readonly [least: number, most: number]
  /** When Entra ID wants the token renewed; left out, it does not say. */
  readonly refreshInMs?: number
}

/** Entra ID answers 503 to all from `fromMs` until `toMs`. */
export interface Outage {
  readonly fromMs: number
  readonly toMs: number
}

export interface FleetOptions {
  readonly pods: number
  /** Pods start evenly spread over this long. */
  readonly startWithinMs: number
  readonly dayMs: number
  readonly token: TokenKind
  /** False: what wimds draws by chance is the mean, in every pod. */
  readonly jitter: boolean
  readonly outage?: Outage
  readonly seed: number
}

export interface FleetDay {
  /** Each pod's first try, by the second. */
  readonly firstAttempts: Uint32Array
  /** All other exchanges, by the second. */
  readonly laterAttempts: Uint32Array
  /** When each pod's first token was replaced, in ms; of pods that came so far. */
  readonly firstRefreshes: readonly number[]
  /** Exchanges that got no token. */
  readonly failures: number
  /** Pods with and without a token at the end of the day. */
  readonly withToken: number
  readonly withoutToken: number
  /** Pods whose token ran out before they had a new one. */
  readonly expired: number
}

/** Duration of an exchange in milliseconds; small compared with delays of seconds. */
const EXCHANGE_MS = 100
const MEAN = 0.5
/** One for all: making an error costs more than all else here. */
const UNAVAILABLE = new BrokerError('entra_unavailable', 'Entra ID answers 503')
const SECOND_MS = 1000

export function simulateFleet(options: FleetOptions): FleetDay {
  const { pods, startWithinMs, dayMs, seed } = options
  const random = seeded(seed)
  const seconds = Math.ceil(dayMs / SECOND_MS)
  const day = {
    firstAttempts: new Uint32Array(seconds),
    laterAttempts: new Uint32Array(seconds),
    firstRefreshes: new Array<number>(),
    failures: 0,
    withToken: 0,
    withoutToken: 0,
    expired: 0,
  }
  for (let pod = 0; pod < pods; pod += 1) {
    const own = simulatePod(startWithinMs * random(), options, random)
    for (const [index, at] of own.attempts.entries()) {
      const attempts = index === 0 ? day.firstAttempts : day.laterAttempts
      const second = Math.floor(at / SECOND_MS)
      attempts[second] = (attempts[second] ?? 0) + 1
    }
    day.failures += own.failures
    if (own.refreshedAt !== undefined) day.firstRefreshes.push(own.refreshedAt)
    if (own.hasExpired) day.expired += 1
    if (own.expiresAt > dayMs) day.withToken += 1
    else day.withoutToken += 1
  }
  return day
}

interface PodDay {
  readonly attempts: readonly number[]
  readonly failures: number
  readonly refreshedAt: number | undefined
  readonly expiresAt: number
  readonly hasExpired: boolean
}

function simulatePod(startsAt: number, options: FleetOptions, random: () => number): PodDay {
  const { dayMs, token, jitter, outage } = options
  const drawn = jitter ? random : () => MEAN
  const attempts: number[] = []
  let [failures, streak, tokens, expiresAt] = [0, 0, 0, 0]
  let refreshedAt: number | undefined
  let hasExpired = false
  for (let at = startsAt; at < dayMs;) {
    attempts.push(at)
    hasExpired ||= tokens > 0 && at >= expiresAt
    if (outage !== undefined && at >= outage.fromMs && at < outage.toMs) {
      failures += 1
      streak += 1
      const tokenTtlMs = Math.max(0, expiresAt - at)
      at += EXCHANGE_MS + computeRetryDelayMs(UNAVAILABLE, { failures: streak, tokenTtlMs }, drawn)
    } else {
      streak = 0
      tokens += 1
      if (tokens === 2) refreshedAt = at
      const issued = issueToken(token, random)
      expiresAt = at + issued.lifetimeMs
      at += computeRefreshDelayMs(issued, EXCHANGE_MS, drawn)
    }
  }
  return { attempts, failures, refreshedAt, expiresAt, hasExpired }
}

/** Issues a token with a random lifetime, which is part of a day with and without our jitter. */
function issueToken({ lifetimeMs: [least, most], refreshInMs }: TokenKind, random: () => number) {
  const lifetimeMs = least + (most - least) * random()
  return { lifetimeMs, ...(refreshInMs !== undefined && { refreshInMs }) }
}
