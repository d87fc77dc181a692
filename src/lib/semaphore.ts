/** Limits concurrent calls: a semaphore, and single flight for calls with the same result. */

interface SemaphoreOptions {
  /** Calls that may run at the same time. */
  readonly maxConcurrent: number
  /** Calls with the same key that may run at the same time; a call without a key is not counted. */
  readonly maxPerKey?: number
  /** Calls that may wait in each of the two queues. */
  readonly maxQueued?: number
  /** How long a call may wait, in milliseconds. */
  readonly maxWaitMs?: number
  /** Creates the error of a call that finds its queue full, or has waited too long. */
  readonly createError?: (reason: 'full' | 'late') => Error
}

interface CallOptions {
  readonly isUrgent?: boolean
  readonly key?: string
}

/**
 * Calls `work` as soon as fewer than `maxConcurrent` calls run, and fewer than `maxPerKey` of them have this key. Until then
 * the call waits in a queue, first come, first served. Urgent calls have a separate queue, which is served first. A call that
 * waits for its key does not block the calls behind it.
 */
export type Semaphore = <T>(work: () => Promise<T>, options?: CallOptions) => Promise<T>

interface Waiting {
  readonly key: string | undefined
  readonly start: () => void
}

export function createSemaphore({
  maxConcurrent,
  maxPerKey = Infinity,
  maxQueued = Infinity,
  maxWaitMs = Infinity,
  createError = () => new Error('too many calls'),
}: SemaphoreOptions): Semaphore {
  let running = 0
  const runningByKey = new Map<string, number>()
  const urgent = new Set<Waiting>()
  const others = new Set<Waiting>()

  const isFree = (key: string | undefined) =>
    running < maxConcurrent && (key === undefined || (runningByKey.get(key) ?? 0) < maxPerKey)

  function count(key: string | undefined, change: 1 | -1): void {
    running += change
    if (key === undefined) return
    const ofKey = (runningByKey.get(key) ?? 0) + change
    if (ofKey === 0) runningByKey.delete(key)
    else runningByKey.set(key, ofKey)
  }

  return async (work, { isUrgent = false, key } = {}) => {
    if (isFree(key)) count(key, 1)
    else await waitForPermit(isUrgent ? urgent : others, key)
    try {
      return await work()
    } finally {
      count(key, -1)
      startNext()
    }
  }

  /** Waits until another call ends and makes room. */
  async function waitForPermit(queue: Set<Waiting>, key: string | undefined): Promise<void> {
    if (queue.size >= maxQueued) throw createError('full')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { key, start: resolve }
    queue.add(waiting)
    const giveUp = () => {
      queue.delete(waiting)
      reject(createError('late'))
    }
    const timer = maxWaitMs === Infinity ? undefined : setTimeout(giveUp, maxWaitMs)
    await promise.finally(() => clearTimeout(timer))
  }

  /** Starts the first waiting call that is allowed to run. */
  function startNext(): void {
    for (const queue of [urgent, others]) {
      for (const waiting of queue) {
        if (!isFree(waiting.key)) continue
        queue.delete(waiting)
        count(waiting.key, 1)
        waiting.start()
        return
      }
    }
  }
}

/** Creates a function that calls `work`, or returns the result of a running call with the same key. It caches nothing. */
export function createSingleFlight<T>() {
  const inflight = new Map<string, Promise<T>>()
  return (key: string, work: () => Promise<T>): Promise<T> => {
    let result = inflight.get(key)
    if (result === undefined) {
      result = work().finally(() => inflight.delete(key))
      inflight.set(key, result)
    }
    return result
  }
}
