/** Bounds how many exchanges run at once; the others wait their turn, but not for ever. */
import { BrokerError } from '../errors.ts'
import type { TokenSource } from './token.ts'

interface LimitOptions {
  /** Exchanges that may run at the same time. */
  readonly max: number
  /** How long one may wait for its turn, in milliseconds. */
  readonly waitMs: number
}

/** Throws `overloaded` for a request whose turn does not come in time. */
export function limited(next: TokenSource, { max, waitMs }: LimitOptions): TokenSource {
  let running = 0
  const waiting = new Set<() => void>()

  return async (request) => {
    if (running >= max) await turn()
    else running += 1
    try {
      return await next(request)
    } finally {
      const [first] = waiting
      if (first === undefined) running -= 1
      else first()
    }
  }

  /** Resolves when another exchange hands its place over. */
  function turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(start)
        reject(
          new BrokerError('overloaded', 'too many exchanges with Entra ID are under way', {
            retryAfterMs: waitMs,
          }),
        )
      }, waitMs)
      const start = () => {
        waiting.delete(start)
        clearTimeout(timer)
        resolve()
      }
      waiting.add(start)
    })
  }
}
