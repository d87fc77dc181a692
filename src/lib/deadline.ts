/** Time limits for asynchronous work. */

/** Starts a time limit, at which the signal aborts with a `TimeoutError`; `clear` stops its timer. */
export function startDeadline(ms: number) {
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new DOMException('The time limit has passed', 'TimeoutError')),
    ms,
  )
  return { signal: controller.signal, clear: () => clearTimeout(timer) }
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
