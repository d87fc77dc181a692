/** The limiter (a semaphore) of exchanges: how many run at once, and how long each may take. */
import { BrokerError } from '../../lib/errors.ts'
import { startDeadline } from '../../lib/deadline.ts'
import type { TokenSource } from './token.ts'

interface LimiterOptions {
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Exchanges that may wait in each of the two queues. */
  readonly maxQueued?: number
  /**
   * How long a caller waits, in milliseconds. An exchange may wait for half of this in the queue. It ends after this
   * time in the background; for callers after twice as long, so that a late token is cached for the next ones.
   */
  readonly timeoutMs: number
}

const RETRY_AFTER_MS = 1000

/**
 * Limits the exchanges of `next`. Further ones wait in a queue: exchanges in the background first, then the ones
 * that callers wait for, each first come, first served. Throws `overloaded` for one that
 * waits too long, or finds its queue full. An exchange stays in the queue after its caller has hung up. `next` gets a
 * signal that aborts at the time limit; the time in the queue counts towards it.
 */
export function limitExchanges(
  next: TokenSource,
  { maxConcurrent, maxQueued = Infinity, timeoutMs }: LimiterOptions,
): TokenSource {
  let running = 0
  const refreshes = new Set<() => void>()
  const firstTokens = new Set<() => void>()

  return async (request) => {
    const deadline = startDeadline(request.isBackground === true ? timeoutMs : 2 * timeoutMs)
    try {
      if (running < maxConcurrent) running += 1
      else await acquire(request.isBackground === true ? refreshes : firstTokens)
      try {
        return await next(request, deadline.signal)
      } finally {
        release()
      }
    } finally {
      deadline.clear()
    }
  }

  /** Waits until a running exchange hands over its permit. */
  async function acquire(queue: Set<() => void>): Promise<void> {
    if (queue.size >= maxQueued) throw createLimitError()
    return new Promise((resolve, reject) => {
      const onPermit = () => {
        queue.delete(onPermit)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        queue.delete(onPermit)
        reject(createLimitError())
      }, timeoutMs / 2)
      queue.add(onPermit)
    })
  }

  /** Hands the permit over to the first in the queue. */
  function release(): void {
    const [onPermit] = refreshes.size > 0 ? refreshes : firstTokens
    if (onPermit === undefined) running -= 1
    else onPermit()
  }
}

function createLimitError(): BrokerError {
  return createOverloadedError(
    'too many exchanges with Entra ID are running',
    'WIMDS_MAX_EXCHANGES',
  )
}

/** Creates the error of a request that finds no capacity, which `setting` limits. */
export function createOverloadedError(reason: string, setting: string): BrokerError {
  return new BrokerError('overloaded', reason, {
    fix: `retry, or raise ${setting}`,
    retryAfterMs: RETRY_AFTER_MS,
  })
}
