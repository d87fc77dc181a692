/** Single flight: callers that ask for the same value at the same time share one call. */

/** Calls `work` unless a call for the key is inflight, whose result is returned instead. Caches nothing. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>

export function createSingleFlight<T>(): SingleFlight<T> {
  const inflight = new Map<string, Promise<T>>()
  return (key, work) => {
    let result = inflight.get(key)
    if (result === undefined) {
      result = work().finally(() => inflight.delete(key))
      inflight.set(key, result)
    }
    return result
  }
}
