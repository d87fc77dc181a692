/** A pod of mode `node` on this node: the attempts to route it, one at a time, and what its broker says of it. */
import { backoffMs } from '../../lib/retry.ts'
import type { BrokerProcess } from './broker-process.ts'
import { type Route, RouteFailure, type RoutePod } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

export interface PodParts {
  readonly route: RoutePod
  /** Called with each new route of a pod, which replaces its earlier one. */
  readonly onRoute: (served: NodePod, route: Route) => void
  /** Called when the route of a pod is no longer its own. */
  readonly onClose: (served: NodePod) => void
  /** Called when a pod has ended or was deleted, and its sandbox is gone. */
  readonly onEnd: (pod: RoutedPod) => void
  readonly onFailure: (pod: RoutedPod, error: unknown) => void
}

/**
 * How often the agent looks for the sandbox of a new pod if no change is reported. The sandbox appears at once, or later if the
 * pod waits for a volume.
 */
const MIN_SANDBOX_POLL_MS = 200
const MAX_SANDBOX_POLL_MS = 2000
/** How often the sandbox of a pod that is ending is looked for. */
const END_POLL_MS = 1000
/** How long the API server may take to say that a pod has ended, after the end of the pod's sandbox. */
const SANDBOX_GRACE_MS = 10_000

/** The reconciler and the broker of the pod share this object. */
export class NodePod {
  /** As the API server has sent it last. */
  pod: RoutedPod
  /** Undefined if the pod has no route. */
  route: Route | undefined
  /** The broker's answer: it serves the pod, fetches its tokens, or says why not; undefined if there is none yet. */
  answer: 'serving' | 'fetching' | RouteFailure | undefined
  /** True once this agent has served it: from then on each broker has to accept its connections at once. */
  hasServed = false
  /** The process that has the socket of the route. */
  sentTo: BrokerProcess | undefined
  /** How many processes in a row have ended before they answered for this pod. */
  ends = 0
  /** Why the last attempt failed; undefined if it succeeded. */
  error: unknown
  readonly #parts: PodParts
  /** Since when the pod has not been served, without the time before it had a sandbox. */
  #pendingSince = performance.now()
  /** True while an attempt runs, or waits for its turn. */
  #isScheduled = false
  #failures = 0
  /** How often its sandbox has been looked for without success. */
  #polls = 0
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(pod: RoutedPod, parts: PodParts) {
    this.pod = pod
    this.#parts = parts
  }

  /** Takes the pod as the API server sends it. One that is ending is routed, too: its containers may run for a while. */
  update(pod: RoutedPod): void {
    const hasChanged = isNews(this.pod, pod)
    this.pod = pod
    if (hasChanged || this.route !== undefined) this.#stopRetry()
    if (this.#retry === undefined) this.#schedule()
  }

  /** Lets it be served until its sandbox is gone. */
  onDeleted(): void {
    // The sandbox is gone by now, as a rule.
    this.#stopRetry()
    this.update({ ...this.pod, isEnding: true })
  }

  /** True while the agent looks for the sandbox of a pod that starts or ends; a failed attempt is repeated with backoff. */
  get isLooking(): boolean {
    return this.#retry !== undefined && this.#failures === 0
  }

  /** Looks for its sandbox now. */
  look(): void {
    this.#stopRetry()
    this.#schedule()
  }

  /** Records that the broker answers on the socket. Returns for how long the pod was pending, in milliseconds. */
  onServing(): number {
    const { pendingMs } = this
    this.answer = 'serving'
    this.hasServed = true
    return pendingMs
  }

  /** Records why the broker does not serve the pod, and reports it again and again, like a failed attempt. */
  onRefused(problem: string): void {
    if (this.#isClosed) return
    this.answer = new RouteFailure('settings_invalid', problem)
    this.#onFailure(this.answer)
  }

  /** Counts it as pending until the next broker serves it. */
  onBrokerEnd(): void {
    if (this.answer === 'serving') this.#pendingSince = performance.now()
    this.answer = undefined
  }

  /** For how long it has been pending, in milliseconds. */
  get pendingMs(): number {
    return performance.now() - this.#pendingSince
  }

  /**
   * Returns true if the rollout need not wait for this pod: it has an answer, or fails other than by the agent's settings.
   * While `isWaiting`, the answer that tokens are being fetched does not count; a broker can say so for ever.
   */
  isSettled(isWaiting: boolean): boolean {
    return (
      (this.answer === 'fetching' ? !isWaiting : this.answer !== undefined) ||
      this.#polls > 0 ||
      (this.#failures > 0 && (this.pod.isEnding || !isOfAgent(this.error)))
    )
  }

  /** Ends the attempts. The broker closes the socket. */
  close(): void {
    this.#isClosed = true
    this.#stopRetry()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    void this.#attempt()
  }

  async #attempt(): Promise<void> {
    const { pod, route } = this
    try {
      const made = await this.#parts.route(pod, route)
      if (this.#isClosed) {
        if (made !== route) made.socket.close()
        return
      }
      if (made !== route) this.#setRoute(made)
      this.#polls = 0
      if (this.answer instanceof RouteFailure && !this.pod.isEnding) {
        this.#onFailure(this.answer)
        return
      }
      this.#failures = 0
      this.error = undefined
      if (this.pod.isEnding) this.#retryAfter(END_POLL_MS)
    } catch (error) {
      if (this.#isClosed) return
      if (error instanceof RouteFailure) this.#setRoute(undefined)
      this.#onFailure(error)
      return
    } finally {
      this.#isScheduled = false
    }
    // The pod may have changed in the meantime.
    if (this.pod !== pod) this.#schedule()
  }

  #setRoute(route: Route | undefined): void {
    const { onRoute, onClose } = this.#parts
    if (this.route !== undefined) {
      this.#pendingSince = performance.now()
      this.route.socket.close()
      this.route = undefined
      onClose(this)
    }
    this.answer = undefined
    this.sentTo = undefined
    this.ends = 0
    if (route === undefined) return
    this.route = route
    try {
      onRoute(this, route)
    } catch (error) {
      // An open socket would take connections that no process accepts.
      this.route = undefined
      route.socket.close()
      throw error
    }
  }

  #onFailure(error: unknown): void {
    const { pod } = this
    const isMissing = error instanceof RouteFailure && error.reason === 'namespace_not_found'
    // The pod has ended, which is no failure.
    if (isMissing && pod.isEnding) {
      this.close()
      this.#parts.onEnd(pod)
    } else if (isMissing && this.#isSandboxExpected()) {
      this.#polls += 1
      if (!pod.hasAddress) this.#pendingSince = performance.now()
      const delayMs = MIN_SANDBOX_POLL_MS * 1.1 ** this.#polls
      this.#retryAfter(Math.min(delayMs, MAX_SANDBOX_POLL_MS))
    } else {
      this.#failures += 1
      this.error = error
      this.#parts.onFailure(pod, error)
      this.#retryAfter(backoffMs(this.#failures))
    }
  }

  /** Returns true while it is normal that no sandbox of the pod is found. */
  #isSandboxExpected(): boolean {
    return !this.pod.hasAddress || this.pendingMs < SANDBOX_GRACE_MS
  }

  #retryAfter(delayMs: number): void {
    this.#stopRetry()
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#schedule()
    }, delayMs)
  }

  #stopRetry(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
  }
}

/** Returns true if the pod has an address now, and so a sandbox, or has begun to end. */
function isNews(earlier: RoutedPod, pod: RoutedPod): boolean {
  return (pod.hasAddress && !earlier.hasAddress) || (pod.isEnding && !earlier.isEnding)
}

/** The agent with these settings would fail for other pods, too; a pod that is ending may have no directory any more. */
const isOfAgent = (error: unknown) =>
  error instanceof RouteFailure && error.reason === 'kubelet_directory'
