/** Time limits for asynchronous work. */

/** Does the work with a signal that aborts with a `TimeoutError` after that many milliseconds. */
export async function withDeadline<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const error = new DOMException('The time limit has passed', 'TimeoutError')
  const timer = setTimeout(() => controller.abort(error), ms)
  return work(controller.signal).finally(() => clearTimeout(timer))
}

/** Settles as `work` does, or rejects with the signal's reason if it aborts first. Does not stop the work. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // oxlint-disable-next-line prefer-promise-reject-errors -- a signal's reason may be anything
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Returns true for the reason with which the signal of a time limit aborts. */
export function isTimeoutError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'TimeoutError'
}
