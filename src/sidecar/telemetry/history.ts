/** Keeps the latest events of each kind, with their number, for the status page. */

/** One or more events of the same kind. */
export interface Past<T> {
  readonly latest: T
  /** When that was, on the monotonic clock. */
  readonly at: number
  readonly count: number
}

const MAX_KINDS = 20

/** Creates an empty history, which keeps the twenty latest kinds. `now` is the monotonic clock. */
export function createHistory<T>(now: () => number) {
  // A Map keeps the order of insertion: the first entry is the oldest.
  const kinds = new Map<string, Past<T>>()
  return {
    add: (kind: string, latest: T) => {
      const count = (kinds.get(kind)?.count ?? 0) + 1
      kinds.delete(kind)
      kinds.set(kind, { latest, at: now(), count })
      const [oldest] = kinds.keys()
      if (kinds.size > MAX_KINDS && oldest !== undefined) kinds.delete(oldest)
    },
    /** Returns each kind, the latest first. */
    all: (): readonly Past<T>[] => [...kinds.values()].toReversed(),
  }
}
