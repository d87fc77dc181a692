/** The pace at which a busy or absent API server is asked again. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after that many milliseconds, or sooner when there is nothing left to wait for. */
export type Pause = (ms: number) => Promise<void>

/** Longer with each failure in a row. */
const FIRST_MS = 1000
const CEILING_MS = 30_000

/**
 * Milliseconds until the next try after so many failures in a row: between a half and the whole of a
 * time that doubles. `random` gives [0, 1) and keeps replicas from coming together.
 */
export function retryDelayMs(failures: number, random: () => number = Math.random): number {
  return Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) * (1 - random() / 2)
}

/** Pauses that the signal ends. */
export function pausesUntil(signal: AbortSignal): Pause {
  return (ms) => sleep(ms, undefined, { signal }).catch(() => undefined)
}

interface RetryOptions {
  /** Told of each failure. */
  readonly onError: (error: unknown) => void
  /** Ends the tries; the last failure is then thrown. */
  readonly signal: AbortSignal
  readonly pause: Pause
}

/** Tries until it succeeds. */
export async function retried<T>(
  attempt: () => Promise<T>,
  { onError, signal, pause }: RetryOptions,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) throw error
      onError(error)
      await pause(retryDelayMs(failures))
    }
  }
}
