/** Readiness: whether the sidecar has had a projected token, for `/readyz`. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../../lib/secret.ts'

export interface ReadinessState {
  readonly ready: boolean
  /** Why the sidecar is not ready, each reason in a sentence; with the file of a projected token that cannot be read. */
  readonly reasons: readonly { readonly summary: string; readonly file?: string }[]
}

/**
 * Creates the readiness of a sidecar: ready once a projected token has been read, and always from then on, so that a
 * failing exchange takes no application out of service. A token that looks expired counts: the local clock may be
 * wrong, and Entra ID decides. Call it when a projected token was read, too: `onReady` is called once.
 */
export function createReadiness(
  assertions: () => ReadonlyMap<string, AssertionState>,
  onReady: () => void,
): () => ReadinessState {
  let ready = false
  return () => {
    const states = assertions()
    if (!ready && [...states.values()].some(({ ok }) => ok)) {
      ready = true
      onReady()
    }
    return { ready, reasons: ready ? [] : describeAssertions(states) }
  }
}

function describeAssertions(states: ReadonlyMap<string, AssertionState>) {
  if (states.size === 0) return [{ summary: 'the projected token has not been read yet' }]
  return [...states].flatMap(([file, state]) =>
    state.ok ? [] : { summary: scrub(state.error.message), file },
  )
}
