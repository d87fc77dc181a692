/** A semaphore: bounds how many calls run at the same time, and how many others wait for how long. */

interface SemaphoreOptions {
  /** Calls that may run at the same time. */
  readonly maxConcurrent: number
  /** Calls that may wait in each of the two queues. */
  readonly maxQueued?: number
  /** How long a call may wait, in milliseconds. */
  readonly maxWaitMs?: number
  /** Creates the error of a call that finds its queue full, or has waited too long. */
  readonly createError?: (reason: 'full' | 'late') => Error
}

/**
 * Calls `work` when fewer than `maxConcurrent` calls run. Others wait in a queue, first come, first served; the
 * urgent ones have a queue of their own, which goes first.
 */
export type Semaphore = <T>(
  work: () => Promise<T>,
  options?: { readonly isUrgent?: boolean },
) => Promise<T>

export function createSemaphore({
  maxConcurrent,
  maxQueued = Infinity,
  maxWaitMs = Infinity,
  createError = () => new Error('too many calls'),
}: SemaphoreOptions): Semaphore {
  let running = 0
  const urgent = new Set<() => void>()
  const others = new Set<() => void>()

  return async (work, { isUrgent = false } = {}) => {
    if (running < maxConcurrent) running += 1
    else await waitForPermit(isUrgent ? urgent : others)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Resolves when a call that ends hands over its permit. */
  async function waitForPermit(queue: Set<() => void>): Promise<void> {
    if (queue.size >= maxQueued) throw createError('full')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    queue.add(resolve)
    const giveUp = () => {
      queue.delete(resolve)
      reject(createError('late'))
    }
    const timer = maxWaitMs === Infinity ? undefined : setTimeout(giveUp, maxWaitMs)
    await promise.finally(() => clearTimeout(timer))
  }

  /** Hands the permit over to the first in the queue. */
  function release(): void {
    const queue = urgent.size > 0 ? urgent : others
    const [handOver] = queue
    if (handOver === undefined) {
      running -= 1
      return
    }
    queue.delete(handOver)
    handOver()
  }
}
