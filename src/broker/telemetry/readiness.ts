/**
 * Readiness: whether the sidecar has had a projected token, for `/readyz`. The probes by which its pod waits for that are in
 * `containers.ts` of the injector.
 */
import type { Config } from '../config/config.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../../lib/secret.ts'

interface ReadinessOptions extends Pick<Config, 'readyAfterPrefetch'> {
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  readonly onReady: () => void
}

export interface ReadinessState {
  readonly ready: boolean
  /** Why the sidecar is not ready, each reason in a sentence; with the file of a projected token that cannot be read. */
  readonly reasons: readonly { readonly summary: string; readonly file?: string }[]
}

/**
 * Creates the readiness of a sidecar: ready once a projected token has been read, and always from then on, so that a
 * failing exchange takes no application out of service. A token that looks expired counts: the local clock may be
 * wrong, and Entra ID decides.
 */
export function createReadiness({ assertions, readyAfterPrefetch, onReady }: ReadinessOptions) {
  let hasToken = false
  let isPrefetched = !readyAfterPrefetch
  let isReported = false

  /** Returns the readiness. Called when a projected token was read, too. */
  function check(): ReadinessState {
    const states = assertions()
    hasToken ||= [...states.values()].some(({ ok }) => ok)
    const prefetching = { summary: 'the resources of WIMDS_PREFETCH are still being fetched' }
    const reasons = [
      ...(hasToken ? [] : describeAssertions(states)),
      ...(isPrefetched ? [] : [prefetching]),
    ]
    const ready = reasons.length === 0
    if (ready && !isReported) {
      isReported = true
      onReady()
    }
    return { ready, reasons }
  }

  return {
    check,
    /** Called when every resource of WIMDS_PREFETCH has been requested once. */
    onPrefetched: () => {
      isPrefetched = true
      check()
    },
  }
}

function describeAssertions(states: ReadonlyMap<string, AssertionState>) {
  if (states.size === 0) return [{ summary: 'the projected token has not been read yet' }]
  return [...states].flatMap(([file, state]) =>
    state.ok ? [] : { summary: scrub(state.error.message), file },
  )
}
