/** Bounds the cost of scrapes: writing the metrics blocks the event loop, and any caller can request them. */
import type { Exposition } from '../telemetry/prometheus.ts'

const MAX_AGE_MS = 1000

/**
 * Returns `scrape` with at most one call inflight (single flight), whose result all callers share and which
 * is cached for a second. Failures are not cached.
 */
export function shareScrapes(
  scrape: () => Promise<Exposition>,
  now: () => number = () => performance.now(),
): () => Promise<Exposition> {
  let latest: Promise<Exposition> | undefined
  let expiresAt = Infinity
  return () => {
    if (latest !== undefined && now() < expiresAt) return latest
    expiresAt = Infinity
    latest = scrape()
    latest.then(
      () => (expiresAt = now() + MAX_AGE_MS),
      () => (latest = undefined),
    )
    return latest
  }
}
