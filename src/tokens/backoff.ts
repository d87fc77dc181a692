/** When to ask Entra ID again after it failed or refused: pure rules. */
import type { BrokerError } from '../errors.ts'

/** How a kind of failure is retried, in milliseconds. */
interface Pace {
  readonly firstMs: number
  readonly ceilingMs: number
  /** Left out: the ceiling is the same however long it takes. */
  readonly patience?: Patience
}

/** How the ceiling grows once so many tries have failed: by `growth` each time, up to `ceilingMs`. */
interface Patience {
  readonly afterFailures: number
  readonly growth: number
  readonly ceilingMs: number
}

/** What the delay after a failed try depends on. */
export interface Attempt {
  /** Tries that failed in a row, this one included. */
  readonly failures: number
  /** What is left of the held token's life, in milliseconds; 0 without one. */
  readonly heldMs: number
}

const SECOND_MS = 1000
/**
 * Nothing is held: callers are without a token, so recovery has to be noticed within seconds. After a
 * minute the ceiling grows with the outage, as an eighth of it: whoever was without a token for five
 * minutes loses little by half a minute more, and a fleet spares Entra ID three of four tries.
 */
const URGENT: Pace = {
  firstMs: SECOND_MS,
  ceilingMs: 8 * SECOND_MS,
  patience: { afterFailures: 20, growth: 1.06, ceilingMs: 30 * SECOND_MS },
}
/** A valid token is held: nobody waits, and a struggling Entra ID is spared. */
const CALM: Pace = { firstMs: 2 * SECOND_MS, ceilingMs: 60 * SECOND_MS }
/** What changes on Entra's side takes minutes to reach all of its nodes (E8). */
const PROPAGATION: Pace = { firstMs: 5 * SECOND_MS, ceilingMs: 30 * SECOND_MS }
/** Only an operator can mend it, and nobody is to wait for that. */
const REFUSED: Pace = { firstMs: 30 * SECOND_MS, ceilingMs: 300 * SECOND_MS }
/** How long a permanent refusal answers callers, at most, before one of them may try again. */
const REMEMBER_REFUSAL_MS = 10 * SECOND_MS
const LEAST_MS = 250
/** On top of a Retry-After, so that those told the same number do not come back together. */
const RETRY_AFTER_JITTER = 0.2

/**
 * Milliseconds for which callers hear of this failure before the next try. Exponential with full
 * jitter under a ceiling; never sooner than Entra ID asked for, unless it refused for good: what an
 * operator mends is to work at once. A held token's last try comes no later than its end, where
 * callers begin to wait. `random` gives [0, 1).
 */
export function retryDelayMs(error: BrokerError, attempt: Attempt, random: () => number): number {
  const askedMs = error.isPermanent ? 0 : (error.retryAfterMs ?? 0)
  const asked = askedMs * (1 + RETRY_AFTER_JITTER * random())
  return Math.max(LEAST_MS, unaskedDelayMs(error, attempt, random), asked)
}

/**
 * Milliseconds until wimds tries again by itself for a key that is kept warm and permanently
 * refused. Callers may try sooner.
 */
export function refusedProbeMs(failures: number, random: () => number): number {
  return Math.max(REMEMBER_REFUSAL_MS, paced(REFUSED, failures, random))
}

/** Whether a new projected token may be what it takes. */
export function isMendedByAssertion(error: BrokerError): boolean {
  return error.isPermanent || error.code.startsWith('assertion_') || isSlow(error)
}

function unaskedDelayMs(
  error: BrokerError,
  { failures, heldMs }: Attempt,
  random: () => number,
): number {
  if (heldMs > 0) return Math.min(heldMs, paced(paceOf(error, true), failures, random))
  return error.isPermanent
    ? REMEMBER_REFUSAL_MS * (1 - random() / 4)
    : paced(paceOf(error, false), failures, random)
}

function paced(pace: Pace, failures: number, random: () => number): number {
  const growing = pace.firstMs * 2 ** Math.min(failures - 1, 20)
  return Math.min(ceilingAfter(failures, pace), growing) * random()
}

function ceilingAfter(failures: number, { ceilingMs, patience }: Pace): number {
  if (patience === undefined) return ceilingMs
  const { afterFailures, growth, ceilingMs: mostMs } = patience
  return Math.min(mostMs, ceilingMs * growth ** Math.max(0, failures - afterFailures))
}

function paceOf(error: BrokerError, isHeld: boolean): Pace {
  if (error.isPermanent) return REFUSED
  if (isSlow(error) || error.code === 'assertion_expired') return PROPAGATION
  return isHeld ? CALM : URGENT
}

/** Refusals that pass when a change has reached all of Entra ID. */
function isSlow(error: BrokerError): boolean {
  return error.code === 'trust_propagating' || error.code === 'issuer_unreachable'
}
