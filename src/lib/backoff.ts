/** Capped exponential backoff. */
export interface BackoffPolicy {
  readonly baseMs: number
  readonly capMs: number
}

/** Returns the longest delay after so many failures in a row: `baseMs` × 2ⁿ⁻¹, at most `capMs`. Jitter shortens it. */
export function maxBackoffMs({ baseMs, capMs }: BackoffPolicy, failures: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 20))
}
