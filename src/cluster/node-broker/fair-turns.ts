/**
 * Shares the event loop between pods: one that floods does not delay the requests of its neighbours. Their shares of the
 * exchanges are in `pod-config.ts`.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Semaphore } from '../../lib/semaphore.ts'

/** Requests of a pod that are answered in one turn of the event loop; further ones wait for the next turns. */
const MAX_PER_TURN = 4

/** Creates the function that gives the listener of each pod its turns. */
export function createFairTurns(): (answer: RequestListener) => RequestListener {
  let active = new Set<PodTurns>()

  function nextTurn(): void {
    const pods = active
    active = new Set()
    for (const pod of pods) if (pod.start()) activate(pod)
  }

  function activate(pod: PodTurns): void {
    if (active.size === 0) setImmediate(nextTurn)
    active.add(pod)
  }

  return (answer) => {
    const pod = new PodTurns(answer)
    return (request, response) => {
      activate(pod)
      pod.handle(request, response)
    }
  }
}

/** Returns the limit with a pause between the starts of two calls: an exchange that fails takes 3 ms of the event loop. */
export function spaceOut(limit: Semaphore, intervalMs: number): Semaphore {
  let nextStart = 0
  return (work, options) =>
    limit(async () => {
      const now = performance.now()
      const start = Math.max(now, nextStart)
      nextStart = start + intervalMs
      if (start > now) await new Promise((resolve) => setTimeout(resolve, start - now))
      return work()
    }, options)
}

class PodTurns {
  readonly #answer: RequestListener
  readonly #waiting: (readonly [request: IncomingMessage, response: ServerResponse])[] = []
  #left = MAX_PER_TURN

  constructor(answer: RequestListener) {
    this.#answer = answer
  }

  /** Answers the request in this turn, or keeps it for a later one. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#waiting.push([request, response])
    this.#answerWaiting()
  }

  /** Starts a turn. Returns whether the pod has used it. */
  start(): boolean {
    this.#left = MAX_PER_TURN
    this.#answerWaiting()
    return this.#left < MAX_PER_TURN
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
