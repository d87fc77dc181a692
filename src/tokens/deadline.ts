/** A time limit that can be lifted, as an abort signal. */

interface Deadline {
  /** Aborts with a `TimeoutError` when the time is over. */
  readonly signal: AbortSignal
  /** Lifts the limit, so that nothing is left running. */
  readonly clear: () => void
}

/** Begins a time limit. With `outer`, the signal also aborts when that one does. */
export function deadline(ms: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new DOMException('The time limit is over', 'TimeoutError')),
    ms,
  )
  return {
    signal: outer === undefined ? controller.signal : AbortSignal.any([controller.signal, outer]),
    clear: () => clearTimeout(timer),
  }
}

/** The outcome of `work`, or the signal's reason if that comes first; the work itself goes on. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // oxlint-disable-next-line prefer-promise-reject-errors -- a signal's reason is what it was given
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
