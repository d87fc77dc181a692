/** Readiness: whether the sidecar has had a projected token, for `/readyz`. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'

/**
 * Creates the function that returns whether a sidecar is ready. It is ready once a projected token has been read, and stays
 * ready, so that a failing exchange takes no application out of service. A token that looks expired counts, since the local
 * clock may be wrong and Entra ID decides. Call the function after each read of a projected token, too: the first time that it
 * returns true, it calls `onReady`.
 */
export function createReadiness(
  assertions: () => ReadonlyMap<string, AssertionState>,
  onReady: () => void,
): () => boolean {
  let isReady = false
  return () => {
    if (!isReady && [...assertions().values()].some(({ ok }) => ok)) {
      isReady = true
      onReady()
    }
    return isReady
  }
}
