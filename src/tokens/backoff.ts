/** When to ask Entra ID again after it failed or refused: pure rules. */
import type { BrokerError } from '../errors.ts'

/** How a kind of failure is retried, in milliseconds. */
interface Pace {
  readonly firstMs: number
  readonly ceilingMs: number
}

const SECOND_MS = 1000
/** Nothing is held: callers wait for the answer, so recovery has to be noticed within seconds. */
const URGENT: Pace = { firstMs: SECOND_MS, ceilingMs: 10 * SECOND_MS }
/** A valid token is held: nobody waits, and a struggling Entra ID is spared. */
const CALM: Pace = { firstMs: 2 * SECOND_MS, ceilingMs: 60 * SECOND_MS }
/** A new federated credential takes minutes to reach all of Entra's nodes (Entra contract 4). */
const PROPAGATION: Pace = { firstMs: 5 * SECOND_MS, ceilingMs: 30 * SECOND_MS }
/** Only an operator can mend it; a held token leaves hours for that. */
const REFUSED_BUT_HELD: Pace = { firstMs: 30 * SECOND_MS, ceilingMs: 300 * SECOND_MS }
/** How long a permanent refusal answers callers before one of them may try again. */
const REMEMBER_REFUSAL_MS = 10 * SECOND_MS
const LEAST_MS = 250
/** On top of a Retry-After, so that those told the same number do not come back together. */
const RETRY_AFTER_JITTER = 0.2

/**
 * Milliseconds until the next try. Exponential with full jitter under a ceiling; never sooner than
 * Entra ID asked for. A held token's last try comes no later than its end, where callers begin to
 * wait. `failures` counts the tries that failed in a row, this one included; `heldMs` is what is left
 * of the held token's life, 0 without one; `random` gives [0, 1).
 */
export function retryDelayMs(
  error: BrokerError,
  { failures, heldMs }: { failures: number; heldMs: number },
  random: () => number,
): number {
  const isHeld = heldMs > 0
  if (error.isPermanent && !isHeld) return REMEMBER_REFUSAL_MS
  const { firstMs, ceilingMs } = paceOf(error, isHeld)
  const ceiling = Math.min(ceilingMs, firstMs * 2 ** Math.min(failures - 1, 20))
  const delay = Math.max(LEAST_MS, Math.min(ceiling * random(), isHeld ? heldMs : Infinity))
  const asked = (error.retryAfterMs ?? 0) * (1 + RETRY_AFTER_JITTER * random())
  return Math.max(delay, asked)
}

function paceOf(error: BrokerError, isHeld: boolean): Pace {
  if (error.code === 'trust_propagating') return PROPAGATION
  if (error.isPermanent) return REFUSED_BUT_HELD
  return isHeld ? CALM : URGENT
}
