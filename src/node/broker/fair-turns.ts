/**
 * Shares the event loop between pods: one that floods does not delay the requests of its neighbours. Their shares of the
 * exchanges are in `pod-config.ts`.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Semaphore } from '../../lib/semaphore.ts'

/** Requests of a pod that are answered in one turn of the event loop; further ones wait for its next turns. */
const MAX_PER_TURN = 4
/** With more waiting requests than this, a pod floods: its next turn is `FLOOD_PAUSE_MS` later. */
const MAX_WAITING = 16
/** Leaves 800 requests a second to a pod that floods, and most of the event loop to its neighbours. */
const FLOOD_PAUSE_MS = 5

/** Creates the function that gives the listener of each pod its turns. */
export function createFairTurns(): (answer: RequestListener) => RequestListener {
  let next = new Set<PodTurns>()

  function runTurns(): void {
    const pods = next
    next = new Set()
    for (const pod of pods) {
      pod.startTurn()
      if (pod.isFlooding) setTimeout(schedule, FLOOD_PAUSE_MS, pod)
      else if (pod.isActive) schedule(pod)
    }
  }

  function schedule(pod: PodTurns): void {
    if (next.size === 0) setImmediate(runTurns)
    next.add(pod)
  }

  return (answer) => {
    const pod = new PodTurns(answer)
    return (request, response) => {
      if (!pod.isActive) schedule(pod)
      pod.handle(request, response)
    }
  }
}

/** A number of calls that may start at once, and the interval at which further ones start. */
export interface Rate {
  readonly burst: number
  readonly intervalMs: number
}

/** Returns the limit with a rate: after `burst` starts the next ones are `intervalMs` apart. A pause allows a new burst. */
export function limitRate(limit: Semaphore, { burst, intervalMs }: Rate): Semaphore {
  /** When the next call starts if none starts sooner, on the clock of `performance.now()`. */
  let nextStart = -Infinity
  return (work, options) =>
    limit(async () => {
      const now = performance.now()
      const start = Math.max(nextStart, now - (burst - 1) * intervalMs)
      nextStart = start + intervalMs
      if (start > now) await new Promise((resolve) => setTimeout(resolve, start - now))
      return work()
    }, options)
}

class PodTurns {
  /** Whether a turn is scheduled. */
  isActive = false
  readonly #answer: RequestListener
  readonly #waiting: (readonly [request: IncomingMessage, response: ServerResponse])[] = []
  #left = MAX_PER_TURN

  constructor(answer: RequestListener) {
    this.#answer = answer
  }

  get isFlooding(): boolean {
    return this.#waiting.length > MAX_WAITING
  }

  /** Answers the request in this turn, or keeps it for a later one. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.isActive = true
    this.#waiting.push([request, response])
    this.#answerWaiting()
  }

  /** Answers requests that wait. Without any, the pod is no longer active. */
  startTurn(): void {
    this.#left = MAX_PER_TURN
    this.#answerWaiting()
    this.isActive = this.#left < MAX_PER_TURN
  }

  #answerWaiting(): void {
    while (this.#left > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const [request, response] = next
      // Its caller has hung up.
      if (request.socket.destroyed) continue
      this.#left -= 1
      this.#answer(request, response)
    }
  }
}
