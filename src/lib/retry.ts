/** Exponential backoff with jitter for calls that are repeated until they succeed. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Returns the delay in milliseconds before the next attempt, by the number of consecutive failures. The maximum delay doubles
 * from 1 s to 30 s; the delay is a random time between half of the maximum and the maximum, so that replicas do not retry at
 * the same moment.
 */
export function backoffMs(failures: number): number {
  return Math.min(30_000, 1000 * 2 ** (failures - 1)) * (1 - Math.random() / 2)
}

/** Waits for `ms` milliseconds, or until the pause is aborted. */
export type Pause = (ms: number) => Promise<void>

/** Creates pauses that end early when the signal is aborted. */
export function createPause(signal: AbortSignal): Pause {
  return (ms) => sleep(ms, undefined, { signal }).catch(() => undefined)
}

export interface RetryOptions {
  /** Called with each failure. */
  readonly onError: (error: unknown) => void
  /** Ends the retries when it aborts. The last failure is then thrown. */
  readonly signal: AbortSignal
  readonly pause?: Pause
}

/** Repeats a call with backoff until it succeeds. */
export async function retry<T>(
  call: () => Promise<T>,
  { onError, signal, pause = createPause(signal) }: RetryOptions,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await call()
    } catch (error) {
      if (signal.aborted) throw error
      onError(error)
      await pause(backoffMs(failures))
      if (signal.aborted) throw error
    }
  }
}
