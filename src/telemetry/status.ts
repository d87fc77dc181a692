/** Whether wimds is ready, and what last happened: for probes and for people. */
import type { AssertionState } from '../exchange/assertion-watch.ts'
import { scrub } from '../secret.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'

interface StatusOptions {
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** False while there is something to prefetch that readiness is to wait for. */
  readonly isPrefetched: () => boolean
  readonly now: () => number
}

/** The body of `/readyz`. */
export interface Readiness {
  readonly ready: boolean
  /** Why not, one sentence each. */
  readonly reasons: readonly string[]
  readonly lastExchange?: {
    readonly at: string
    readonly ok: boolean
    readonly code?: string
    readonly message?: string
  }
}

export interface Status {
  readonly readiness: () => Readiness
  readonly onExchange: (event: ExchangeEvent) => void
}

/**
 * Ready once a readable projected token has been seen, and for good: a failing exchange is told,
 * but takes no application out of service.
 */
export function status({ assertions, isPrefetched, now }: StatusOptions): Status {
  let isAssertionSeen = false
  let lastExchange: Readiness['lastExchange']

  return {
    onExchange: ({ outcome }) => {
      const at = new Date(now()).toISOString()
      lastExchange = outcome.ok
        ? { at, ok: true }
        : { at, ok: false, code: outcome.error.code, message: scrub(outcome.error.message) }
    },
    readiness: () => {
      const states = [...assertions().values()]
      isAssertionSeen ||= states.some((state) => state.ok && state.assertion.expiresAt > now())
      const reasons = [
        ...(isAssertionSeen ? [] : assertionReasons(states, now())),
        ...(isPrefetched() ? [] : ['the resources of WIMDS_PREFETCH are still being fetched']),
      ]
      return {
        ready: reasons.length === 0,
        reasons,
        ...(lastExchange !== undefined && { lastExchange }),
      }
    },
  }
}

function assertionReasons(states: readonly AssertionState[], now: number): string[] {
  if (states.length === 0) return ['the projected token has not been read yet']
  return states.flatMap((state) => {
    if (!state.ok) return [scrub(state.error.message)]
    return state.assertion.expiresAt > now ? [] : ['the projected token has expired']
  })
}
