/**
 * The pods of a broker process. The agent sends them one after the other, and the broker serves each pod until it has ended.
 */
import { untilAborted } from '../../lib/deadline.ts'
import { createPause } from '../../lib/retry.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import type { PodMessage, TokenKey } from '../broker/messages.ts'
import type { BrokerChannel } from './broker-channel.ts'
import { cut } from './broker-lines.ts'
import { type Route, RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

/** The answer of a broker about a pod: it serves the pod, it fetches the pod's tokens, or the reason why it does neither. */
export type PodAnswer = 'serving' | 'fetching' | RouteFailure

/** A pod that a broker is to serve. */
export interface ServeRequest {
  readonly pod: RoutedPod
  readonly route: Route
  /** Returns the keys of the tokens that the broker fetches before it listens. With an empty list it listens at once. */
  readonly findKeys: () => TokenKey[] | undefined
  readonly onAnswer: (answer: PodAnswer) => void
}

interface Served extends ServeRequest {
  state: 'waiting' | 'sent' | 'serving'
}

/** The delay before a socket is sent again. */
const RESEND_MS = 1000

export class BrokerPods {
  readonly #channel: BrokerChannel
  readonly #ended: Promise<unknown>
  /** By uid. */
  readonly #served = new Map<string, Served>()
  readonly #limitSending = createSemaphore({ maxConcurrent: 1 })

  /** `ended` resolves when the process has ended. */
  constructor(channel: BrokerChannel, ended: Promise<unknown>) {
    this.#channel = channel
    this.#ended = ended
  }

  /** Returns the pods that the broker serves or is to serve. */
  all(): readonly RoutedPod[] {
    return [...this.#served.values()].map(({ pod }) => pod)
  }

  /** Returns the pod if the agent has sent it to the broker. A broker may speak for no other pod. */
  find(uid: string): RoutedPod | undefined {
    const served = this.#served.get(uid)
    return served?.state === 'waiting' ? undefined : served?.pod
  }

  /** Lets the broker serve the pod until the signal aborts or the process ends. */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const { uid } = request.pod
    const served: Served = { ...request, state: 'waiting' }
    this.#served.set(uid, served)
    void this.#send(served, signal)
    await untilAborted(this.#ended, signal).catch(() => {})
    if (this.#served.get(uid) === served) this.#served.delete(uid)
    if (served.state !== 'waiting') void this.#channel.send({ type: 'close', uid })
  }

  /** Handles the answers for a pod until the broker serves it. Later answers would be counted again. */
  onAnswer({ uid, state, problem = '' }: PodMessage): void {
    const served = this.#served.get(uid)
    if (served?.state !== 'sent') return
    if (state === 'serving') served.state = 'serving'
    const isFailed = state === 'failed'
    served.onAnswer(isFailed ? new RouteFailure('settings_invalid', cut(problem)) : state)
  }

  /** Sends the pod in its turn. Tries again after a failure, such as while the node has no memory for the message. */
  async #send(served: Served, signal: AbortSignal): Promise<void> {
    const { pod, route, findKeys } = served
    const { uid, namespace, name, serviceAccount, contents } = pod
    const sendNow = async () => {
      if (this.#served.get(uid) !== served) return
      const socket = await this.#channel.sendSocket(route.socket)
      served.state = 'sent'
      const sent = { uid, namespace, name, serviceAccount, env: route.env, contents }
      const isSent = this.#channel.send({ type: 'serve', socket, pod: sent, keys: findKeys() })
      if (signal.aborted) void this.#channel.send({ type: 'close', uid })
      await isSent
    }
    while (this.#served.get(uid) === served && served.state === 'waiting') {
      await this.#limitSending(sendNow).catch(() => createPause(signal)(RESEND_MS))
    }
  }
}
