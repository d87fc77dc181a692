/** Readiness: whether the sidecar has had a projected token, for `/readyz`. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'

/**
 * Creates the readiness of a sidecar: ready once a projected token has been read, and always from then on, so that a
 * failing exchange takes no application out of service. A token that looks expired counts: the local clock may be
 * wrong, and Entra ID decides. Call it when a projected token was read, too: `onReady` is called once.
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
