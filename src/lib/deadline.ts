/** Time limits for asynchronous work. */

/** Calls `work` with a signal that aborts with a `TimeoutError` after `ms` milliseconds. */
export async function withDeadline<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const error = new DOMException('The time limit has passed', 'TimeoutError')
  const timer = setTimeout(() => controller.abort(error), ms)
  return work(controller.signal).finally(() => clearTimeout(timer))
}

/** Settles like `work`. Rejects with the signal's reason if the signal aborts first, but does not stop the work. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // oxlint-disable-next-line prefer-promise-reject-errors -- a signal's reason may be anything
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Returns true for the error of an expired time limit, as `withDeadline` and `AbortSignal.timeout` create it. */
export function isTimeoutError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'TimeoutError'
}
