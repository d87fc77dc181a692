/** Exponential backoff with jitter for calls that are repeated until they succeed. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Returns the delay in milliseconds after so many failures in a row: between half and all of a time that
 * doubles from 1 s to 30 s. The jitter keeps replicas from retrying at the same moment.
 */
export function backoffMs(failures: number): number {
  return Math.min(30_000, 1000 * 2 ** (failures - 1)) * (1 - Math.random() / 2)
}

/** Resolves after that many milliseconds, or at once when the pause is aborted. */
export type Pause = (ms: number) => Promise<void>

/** Creates pauses that end early when the signal is aborted. */
export function createPause(signal: AbortSignal): Pause {
  return (ms) => sleep(ms, undefined, { signal }).catch(() => undefined)
}

export interface RetryOptions {
  /** Called with each failure. */
  readonly onError: (error: unknown) => void
  /** Ends the retries: the last failure is then thrown. */
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
