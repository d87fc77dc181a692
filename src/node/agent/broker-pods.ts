/** The pods of a broker process: each is sent to it after the one before, and served until it has ended. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { formatProblem } from '../../lib/errors.ts'
import { createPause } from '../../lib/retry.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import type { PodMessage, TokenKey } from '../broker/messages.ts'
import type { BrokerChannel } from './broker-channel.ts'
import { cut } from './broker-lines.ts'
import { type Route, RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

/** What a broker says of a pod: it serves the pod, fetches its tokens, or why it does neither. */
export type PodAnswer = 'serving' | 'fetching' | RouteFailure

/** A pod that a broker is to serve. */
export interface ServeRequest {
  readonly pod: RoutedPod
  readonly route: Route
  /** Returns the keys of the tokens that the broker fetches before it listens; an empty list: it listens at once. */
  readonly findKeys: () => TokenKey[] | undefined
  /** True for a pod with which a process has ended: it comes first, so that no other pod is the cause if this one ends too. */
  readonly isSuspect: boolean
  readonly onAnswer: (answer: PodAnswer) => void
}

interface Served extends ServeRequest {
  readonly signal: AbortSignal
  /** Resolves when the next pod may be sent. */
  readonly answered: PromiseWithResolvers<void>
  /** Resolves with the reason when the process has ended. */
  readonly ended: PromiseWithResolvers<string | undefined>
  state: 'waiting' | 'sent' | 'answered' | 'serving'
}

/** The process has ended. */
export class BrokerEnd extends Error {
  /** True if it ended when it had just got the pod. */
  readonly isOfPod: boolean

  constructor(reason: string, isOfPod: boolean) {
    super(reason)
    this.isOfPod = isOfPod
  }
}

/** The delay before a socket is sent again. */
const RESEND_MS = 1000
/** Longer than it takes to end a broker that hangs. */
const SILENCE_MS = 90_000

export class BrokerPods {
  readonly #channel: BrokerChannel
  readonly #kill: (reason: string) => void
  readonly #answerMs: number
  /** By uid. */
  readonly #served = new Map<string, Served>()
  readonly #limitSending = createSemaphore({ maxConcurrent: 1 })
  /** Why the process has ended; undefined while it runs. */
  #end: string | undefined

  /** `kill` ends the process. Only tests pass another time. */
  constructor(channel: BrokerChannel, kill: (reason: string) => void, answerMs = SILENCE_MS) {
    this.#channel = channel
    this.#kill = kill
    this.#answerMs = answerMs
  }

  /** Returns true if the broker serves the pod, or is about to: a broker speaks for its own pods. */
  has(uid: string): boolean {
    return (this.#served.get(uid)?.state ?? 'waiting') !== 'waiting'
  }

  /**
   * Lets the broker serve the pod until the signal. The broker gets the next pod when it has answered for this one; a silent one
   * is ended. Throws a `BrokerEnd`.
   */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const { pod } = request
    const answered = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<string | undefined>()
    const served: Served = { ...request, signal, answered, ended, state: 'waiting' }
    const onAbort = () => ended.resolve(undefined)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    this.#served.set(pod.uid, served)
    void this.#sendInTurn(served)
    const reason = this.#end ?? (await ended.promise)
    signal.removeEventListener('abort', onAbort)
    answered.resolve()
    if (this.#served.get(pod.uid) === served) this.#served.delete(pod.uid)
    if (reason !== undefined) throw new BrokerEnd(reason, served.state === 'sent')
    if (served.state !== 'waiting') void this.#channel.send({ type: 'close', uid: pod.uid })
  }

  /** Takes answers for a pod until one says that it is served: later ones would be counted again. */
  onAnswer({ uid, state, problem = '', fix }: PodMessage): void {
    const served = this.#served.get(uid)
    if (served === undefined || served.state === 'waiting' || served.state === 'serving') return
    served.state = state === 'serving' ? 'serving' : 'answered'
    served.answered.resolve()
    const refusal = () => new RouteFailure('settings_invalid', cut(formatProblem({ problem, fix })))
    served.onAnswer(state === 'failed' ? refusal() : state)
  }

  /** Ends all `serve`, since the process has ended. */
  end(reason: string): void {
    this.#end = reason
    for (const { ended } of this.#served.values()) ended.resolve(reason)
  }

  /** Sends the pod after those that came before it; one with which a process has ended before goes first. */
  async #sendInTurn(served: Served): Promise<void> {
    // All pods of a broker that has ended come at the same moment.
    if (!served.isSuspect) await nextTurn()
    await this.#limitSending(() => this.#sendPod(served))
  }

  async #sendPod(served: Served): Promise<void> {
    const { route, findKeys, signal, answered } = served
    if (signal.aborted || this.#end !== undefined) return
    const { uid, namespace, name, serviceAccount, contents } = served.pod
    const pod = { uid, namespace, name, serviceAccount, env: route.env, contents }
    try {
      const socket = await this.#channel.sendSocket(route.socket)
      // Not before: it is not the cause if the process has ended.
      served.state = 'sent'
      void this.#channel.send({ type: 'serve', socket, pod, keys: findKeys() })
      if (signal.aborted) void this.#channel.send({ type: 'close', uid })
    } catch {
      // The broker has ended, or the node has no memory for the message at this moment.
      await createPause(signal)(RESEND_MS)
      await this.#sendPod(served)
      return
    }
    const reason = `it has not answered for a pod within ${this.#answerMs / 1000} s`
    const silence = setTimeout(() => this.#kill(reason), this.#answerMs)
    await answered.promise
    clearTimeout(silence)
  }
}
