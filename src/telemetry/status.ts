/** Whether wimds is ready, and what last happened: for probes and for people. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../secret.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'

interface StatusOptions {
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** Readiness is to wait until what there is to prefetch was tried. */
  readonly awaitsPrefetch: boolean
  readonly now: () => number
  /** Told once. */
  readonly onReady: () => void
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
  /** Told when what is seen of a projected token has changed. */
  readonly onAssertion: (state: AssertionState) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Told when what there is to prefetch was tried. */
  readonly onPrefetched: () => void
}

/**
 * Ready once a valid projected token has been seen, whether anybody asked then or not, and for good: a
 * failing exchange is told, but takes no application out of service. An exchange that succeeds does
 * as well, since the local clock alone, by which a token looks expired, vetoes nothing.
 */
export function status(options: StatusOptions): Status {
  const { assertions, awaitsPrefetch, now, onReady } = options
  let isProven = false
  let isPrefetched = !awaitsPrefetch
  let isTold = false
  let lastExchange: Readiness['lastExchange']
  const isValid = (state: AssertionState) => state.ok && state.assertion.expiresAt > now()

  function readiness(): Readiness {
    const states = [...assertions().values()]
    // Also without a change: the clock may have been put right.
    isProven ||= states.some(isValid)
    const reasons = [
      ...(isProven ? [] : assertionReasons(states)),
      ...(isPrefetched ? [] : ['the resources of WIMDS_PREFETCH are still being fetched']),
    ]
    const ready = reasons.length === 0
    if (ready && !isTold) {
      isTold = true
      onReady()
    }
    return { ready, reasons, ...(lastExchange !== undefined && { lastExchange }) }
  }

  return {
    readiness,
    onAssertion: (state) => {
      isProven ||= isValid(state)
      readiness()
    },
    onExchange: ({ outcome }) => {
      isProven ||= outcome.ok
      const at = new Date(now()).toISOString()
      lastExchange = outcome.ok
        ? { at, ok: true }
        : { at, ok: false, code: outcome.error.code, message: scrub(outcome.error.message) }
      readiness()
    },
    onPrefetched: () => {
      isPrefetched = true
      readiness()
    },
  }
}

function assertionReasons(states: readonly AssertionState[]): string[] {
  if (states.length === 0) return ['the projected token has not been read yet']
  return states.map((state) =>
    state.ok ? 'the projected token has expired' : scrub(state.error.message),
  )
}
