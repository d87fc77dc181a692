/**
 * A day of a fleet of pods, each with one token in use, by the rules that wimds itself follows.
 * Time is simulated: pods do not depend on each other, so each is followed through its day in turn.
 */
import { BrokerError } from '../../src/errors.ts'
import { computeRetryDelayMs } from '../../src/tokens/refresh-policy.ts'
import { computeRefreshDelayMs } from '../../src/tokens/refresh-policy.ts'
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
  readonly firstTries: Uint32Array
  /** All other exchanges, by the second. */
  readonly laterTries: Uint32Array
  /** When each pod's first token was replaced, in ms; of pods that came so far. */
  readonly firstRenewals: readonly number[]
  /** Exchanges that got no token. */
  readonly failures: number
  /** Pods that hold a token at the end of the day, and pods that hold none. */
  readonly holding: number
  readonly without: number
  /** Pods whose token ran out before they had a new one. */
  readonly ranOut: number
}

/** What an exchange takes, in milliseconds; it matters little beside delays of seconds. */
const TOOK_MS = 100
const MEAN = 0.5
/** One for all: making an error costs more than all else here. */
const UNAVAILABLE = new BrokerError('entra_unavailable', 'Entra ID answers 503')
const SECOND_MS = 1000

export function fleetDay(options: FleetOptions): FleetDay {
  const { pods, startWithinMs, dayMs, seed } = options
  const random = seeded(seed)
  const seconds = Math.ceil(dayMs / SECOND_MS)
  const day = {
    firstTries: new Uint32Array(seconds),
    laterTries: new Uint32Array(seconds),
    firstRenewals: new Array<number>(),
    failures: 0,
    holding: 0,
    without: 0,
    ranOut: 0,
  }
  for (let pod = 0; pod < pods; pod += 1) {
    const own = podDay(startWithinMs * random(), options, random)
    for (const [index, at] of own.tries.entries()) {
      const tries = index === 0 ? day.firstTries : day.laterTries
      const second = Math.floor(at / SECOND_MS)
      tries[second] = (tries[second] ?? 0) + 1
    }
    day.failures += own.failures
    if (own.renewedAt !== undefined) day.firstRenewals.push(own.renewedAt)
    if (own.hasRunOut) day.ranOut += 1
    if (own.expiresAt > dayMs) day.holding += 1
    else day.without += 1
  }
  return day
}

interface PodDay {
  readonly tries: readonly number[]
  readonly failures: number
  readonly renewedAt: number | undefined
  readonly expiresAt: number
  readonly hasRunOut: boolean
}

function podDay(startsAt: number, options: FleetOptions, random: () => number): PodDay {
  const { dayMs, token, jitter, outage } = options
  const drawn = jitter ? random : () => MEAN
  const tries: number[] = []
  let [failures, inARow, tokens, expiresAt] = [0, 0, 0, 0]
  let renewedAt: number | undefined
  let hasRunOut = false
  for (let at = startsAt; at < dayMs;) {
    tries.push(at)
    hasRunOut ||= tokens > 0 && at >= expiresAt
    if (outage !== undefined && at >= outage.fromMs && at < outage.toMs) {
      failures += 1
      inARow += 1
      const tokenTtlMs = Math.max(0, expiresAt - at)
      at += TOOK_MS + computeRetryDelayMs(UNAVAILABLE, { failures: inARow, tokenTtlMs }, drawn)
    } else {
      inARow = 0
      tokens += 1
      if (tokens === 2) renewedAt = at
      const issued = issuedBy(token, random)
      expiresAt = at + issued.lifetimeMs
      at += computeRefreshDelayMs(issued, TOOK_MS, drawn)
    }
  }
  return { tries, failures, renewedAt, expiresAt, hasRunOut }
}

/** Entra ID's own chance, which is there with and without ours. */
function issuedBy({ lifetimeMs: [least, most], refreshInMs }: TokenKind, random: () => number) {
  const lifetimeMs = least + (most - least) * random()
  return { lifetimeMs, ...(refreshInMs !== undefined && { refreshInMs }) }
}
