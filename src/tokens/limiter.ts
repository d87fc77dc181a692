/** Bounds exchanges: how many run at once, and how long each may take, its wait included. */
import { BrokerError } from '../errors.ts'
import { deadline } from './deadline.ts'
import type { TokenSource } from './token.ts'

interface LimitOptions {
  /** Exchanges that may run at the same time. */
  readonly max: number
  /** Time from the request to its end, in milliseconds; at most half of it is spent waiting. */
  readonly timeoutMs: number
}

const RETRY_AFTER_MS = 1000

/**
 * Lets `max` exchanges run at once; the others wait, first come, first served. Throws `overloaded` for
 * one whose turn does not come in time. The source is given a signal that aborts at the time limit.
 */
export function limited(next: TokenSource, { max, timeoutMs }: LimitOptions): TokenSource {
  let running = 0
  const waiting = new Set<() => void>()

  return async (request) => {
    const limit = deadline(timeoutMs)
    try {
      if (running >= max) await turn()
      else running += 1
      try {
        return await next(request, limit.signal)
      } finally {
        handOver()
      }
    } finally {
      limit.clear()
    }
  }

  /** Resolves when another exchange hands its place over. */
  function turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        waiting.delete(start)
        clearTimeout(timer)
        resolve()
      }
      const giveUp = () => {
        waiting.delete(start)
        reject(overloaded('too many exchanges with Entra ID are under way'))
      }
      const timer = setTimeout(giveUp, timeoutMs / 2)
      waiting.add(start)
    })
  }

  function handOver(): void {
    const [first] = waiting
    if (first === undefined) running -= 1
    else first()
  }
}

/** The refusal of a request that finds no room; nothing is wrong with it. */
export function overloaded(message: string): BrokerError {
  return new BrokerError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}
