/** Readiness: whether the sidecar has had a valid projected token, for `/readyz`. */
import type { Config } from '../config/config.ts'
import { createExpiredError } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../secret.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'

interface ReadinessOptions extends Pick<Config, 'readyAfterPrefetch'> {
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** Returns epoch milliseconds. */
  readonly now: () => number
  /** Called once, when the sidecar becomes ready. */
  readonly onReady: () => void
}

/** Why a sidecar is not ready. */
interface UnreadyReason {
  /** One sentence. */
  readonly summary: string
  /** The projected token that is not valid; undefined: something else is awaited. */
  readonly file?: string
}

export interface ReadinessState {
  readonly ready: boolean
  readonly reasons: readonly UnreadyReason[]
  readonly lastExchange?: {
    readonly at: string
    readonly ok: boolean
    readonly code?: string
    readonly message?: string
  }
}

export interface Readiness {
  readonly check: () => ReadinessState
  /** Called when a projected token was loaded or rotated, or can no longer be read. */
  readonly onAssertion: (state: AssertionState) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Called when every resource of WIMDS_PREFETCH has been requested once. */
  readonly onPrefetched: () => void
}

/**
 * Creates the readiness of a sidecar: ready once a valid projected token has been read, and always from then
 * on, so that a failing exchange takes no application out of service. A successful exchange is
 * proof as well: the local clock, by which a token looks expired, may be wrong.
 */
export function createReadiness(options: ReadinessOptions): Readiness {
  const { assertions, readyAfterPrefetch, now, onReady } = options
  let hasValidToken = false
  let isPrefetched = !readyAfterPrefetch
  let isReported = false
  let lastExchange: ReadinessState['lastExchange']
  const isValid = (state: AssertionState) => state.ok && state.assertion.expiresAt > now()

  function check(): ReadinessState {
    const states = assertions()
    // Checked at each call: the local clock may have been corrected since the token was read.
    hasValidToken ||= [...states.values()].some(isValid)
    const reasons = [
      ...(hasValidToken ? [] : describeAssertions(states)),
      ...(isPrefetched
        ? []
        : [{ summary: 'the resources of WIMDS_PREFETCH are still being fetched' }]),
    ]
    const ready = reasons.length === 0
    if (ready && !isReported) {
      isReported = true
      onReady()
    }
    return { ready, reasons, ...(lastExchange !== undefined && { lastExchange }) }
  }

  return {
    check,
    onAssertion: (assertion) => {
      hasValidToken ||= isValid(assertion)
      check()
    },
    onExchange: ({ outcome }) => {
      hasValidToken ||= outcome.ok
      const at = new Date(now()).toISOString()
      lastExchange = outcome.ok
        ? { at, ok: true }
        : { at, ok: false, code: outcome.error.code, message: scrub(outcome.error.message) }
      check()
    },
    onPrefetched: () => {
      isPrefetched = true
      check()
    },
  }
}

function describeAssertions(states: ReadonlyMap<string, AssertionState>): UnreadyReason[] {
  if (states.size === 0) return [{ summary: 'the projected token has not been read yet' }]
  return [...states].map(([file, state]) => {
    const { message } = state.ok ? createExpiredError(file, state.assertion) : state.error
    return { summary: scrub(message), file }
  })
}
