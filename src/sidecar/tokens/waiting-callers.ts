/** The callers that wait for exchanges, and how many may do so at once. */

interface WaitingCallers {
  readonly isFull: () => boolean
  /**
   * Settles as the outcome does. Until then the caller counts as waiting, unless the signal says that it has hung up.
   */
  readonly wait: <T>(outcome: Promise<T>, signal: AbortSignal | undefined) => Promise<T>
}

export function createWaitingCallers(max: number): WaitingCallers {
  const waiting = new Set<object>()

  return { isFull: () => waiting.size >= max, wait }

  async function wait<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const caller = {}
    const leave = () => waiting.delete(caller)
    if (signal?.aborted !== true) waiting.add(caller)
    signal?.addEventListener('abort', leave)
    try {
      return await outcome
    } finally {
      leave()
      signal?.removeEventListener('abort', leave)
    }
  }
}
