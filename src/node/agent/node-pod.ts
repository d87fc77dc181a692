/**
 * A pod of mode `node`. The agent finds its sandbox and opens its socket. Its broker then serves it until the pod has ended.
 */
import { backoffMs, createPause } from '../../lib/retry.ts'
import type { TokenKey } from '../broker/messages.ts'
import type { PodAnswer, ServeRequest } from './broker-pods.ts'
import { type Route, RouteFailure, type RoutePod } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

export interface PodParts {
  readonly route: RoutePod
  /** Lets the broker of the pod serve it until the signal aborts or the broker ends. Throws a `RouteFailure`. */
  readonly serve: (request: ServeRequest, signal: AbortSignal) => Promise<void>
  /** Returns the keys of the tokens that the broker fetches before it listens for the pod. */
  readonly keysOf: (uid: string) => TokenKey[] | undefined
  /** Called with each new route of a pod, which replaces its earlier route. */
  readonly onRoute: (pod: RoutedPod, route: Route) => void
  /** Called when the broker answers on the socket of a pod; `pendingMs`: how long the pod was pending. */
  readonly onServing: (pod: RoutedPod, pendingMs: number) => void
  /** Called when a pod has ended or was deleted, and its sandbox is gone. */
  readonly onEnd: (pod: RoutedPod) => void
  readonly onFailure: (pod: RoutedPod, error: unknown) => void
}

/**
 * The time between two looks for the sandbox of a new pod grows from the first to the second value. A pod may wait for a volume
 * before it gets a sandbox.
 */
const MIN_SANDBOX_POLL_MS = 200
const MAX_SANDBOX_POLL_MS = 2000
/** How often the agent looks whether the sandbox of an ending pod is gone. */
const END_POLL_MS = 1000
/** How often the agent checks the route of a pod that does not change. */
const ROUTED_POLL_MS = 60 * 60_000
/** How long the API server may take to say that a pod has ended, after the end of the pod's sandbox. */
const SANDBOX_GRACE_MS = 10_000
/** The delay before a pod asks again for a broker that does not run. */
const RESTART_POLL_MS = 1000

export class NodePod {
  /** The pod as the API server last sent it. */
  pod: RoutedPod
  /** Undefined if the pod has no route. */
  route: Route | undefined
  /** The last answer of the broker; undefined before its first answer. */
  answer: PodAnswer | undefined
  /** Why the last attempt failed; undefined if it succeeded. */
  error: unknown
  readonly #parts: PodParts
  /** Since when the pod has not been served, without the time before it had a sandbox. */
  #pendingSince = performance.now()
  /** True once this agent has served the pod. From then on each broker has to accept connections at once. */
  #hasServed = false
  #failures = 0
  /** The number of looks in a row that found no sandbox. */
  #polls = 0
  /** Resolves when the next attempt is due. */
  #due = Promise.withResolvers<void>()
  /** Aborts when the broker is to stop serving the route. */
  #serving = new AbortController()
  #isClosed = false

  /** Starts the first attempt. */
  constructor(pod: RoutedPod, parts: PodParts) {
    this.pod = pod
    this.#parts = parts
    void this.#run()
  }

  /** Takes a change of the pod. An ending pod is routed, too: its containers may run for a while. */
  update(pod: RoutedPod): void {
    const hasChanged = isNews(this.pod, pod)
    this.pod = pod
    // After a failure the next attempt comes with backoff.
    if (hasChanged || this.route !== undefined) this.look()
  }

  /** Marks the pod as deleted. Its broker serves it until its sandbox is gone. */
  onDeleted(): void {
    this.pod = { ...this.pod, isEnding: true, isDeleted: true }
    // Normally the sandbox is gone by now.
    this.look()
  }

  /** True while the agent looks for the sandbox of a pod that starts or ends. */
  get isLooking(): boolean {
    return (this.#polls > 0 || this.pod.isEnding) && this.#failures === 0
  }

  /** Looks for its sandbox now. */
  look(): void {
    this.#due.resolve()
  }

  /** For how long it has been pending, in milliseconds. */
  get pendingMs(): number {
    return performance.now() - this.#pendingSince
  }

  /**
   * Returns true if the rollout need not wait for this pod: its broker has answered, or it fails for a reason other than the
   * agent's settings. While `isWaiting`, the answer `fetching` does not count. If `isLate`, a routed pod needs no answer.
   */
  isSettled(isWaiting: boolean, isLate = false): boolean {
    return (
      (isLate && this.route !== undefined) ||
      (this.answer === 'fetching' ? !isWaiting : this.answer !== undefined) ||
      this.#polls > 0 ||
      // The directory of an ending pod may be gone.
      (this.#failures > 0 && (this.pod.isEnding || !isOfAgent(this.error)))
    )
  }

  /** Ends the attempts. The broker keeps serving the pod. */
  close(): void {
    this.#isClosed = true
    this.#due.resolve()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const { promise, resolve } = (this.#due = Promise.withResolvers<void>())
      const timer = setTimeout(resolve, await this.#attempt())
      await promise
      clearTimeout(timer)
    }
  }

  /** Returns the time until the next attempt, in milliseconds. */
  async #attempt(): Promise<number> {
    try {
      const route = await this.#parts.route(this.pod, this.route)
      if (route !== this.route) this.#setRoute(route)
      this.#polls = 0
    } catch (error) {
      if (this.#isClosed) return 0
      if (error instanceof RouteFailure) this.#setRoute(undefined)
      return this.#onFailure(error)
    }
    if (this.answer instanceof RouteFailure && !this.pod.isEnding) {
      return this.#onFailure(this.answer)
    }
    this.#failures = 0
    this.error = undefined
    return this.pod.isEnding ? END_POLL_MS : ROUTED_POLL_MS
  }

  #setRoute(route: Route | undefined): void {
    if (this.#isClosed) {
      route?.socket.close()
      return
    }
    if (this.route !== undefined) {
      this.#pendingSince = performance.now()
      this.route.socket.close()
      this.#serving.abort()
    }
    this.route = route
    this.answer = undefined
    if (route === undefined) return
    this.#serving = new AbortController()
    this.#parts.onRoute(this.pod, route)
    void this.#serve(route, this.#serving.signal)
  }

  /** Lets the pod's broker serve it until the signal aborts. After the end of a broker the next one serves the pod. */
  async #serve(route: Route, signal: AbortSignal): Promise<void> {
    const onAnswer = (answer: PodAnswer) => {
      if (!signal.aborted) this.#onAnswer(answer)
    }
    const findKeys = () => (this.#hasServed ? [] : this.#parts.keysOf(this.pod.uid))
    while (!signal.aborted && !this.#isClosed) {
      try {
        await this.#parts.serve({ pod: this.pod, route, findKeys, onAnswer }, signal)
        if (!signal.aborted) this.#onAnswer(undefined)
      } catch (error) {
        if (error instanceof RouteFailure) onAnswer(error)
        await createPause(signal)(RESTART_POLL_MS)
      }
    }
  }

  /** Handles an answer of the broker; undefined: the broker has ended. */
  #onAnswer(answer: PodAnswer | undefined): void {
    const { pendingMs, answer: earlier } = this
    this.answer = answer
    if (answer === 'serving') {
      this.#hasServed = true
      this.#parts.onServing(this.pod, pendingMs)
    } else if (earlier === 'serving') this.#pendingSince = performance.now()
    // The next attempts report the failure with backoff.
    if (answer instanceof RouteFailure && !(earlier instanceof RouteFailure)) this.look()
  }

  /** Returns the time until the next attempt, in milliseconds. */
  #onFailure(error: unknown): number {
    const { pod } = this
    const isMissing = error instanceof RouteFailure && error.reason === 'namespace_not_found'
    // The pod has ended, which is no failure.
    if (isMissing && pod.isEnding) {
      this.close()
      this.#parts.onEnd(pod)
      return 0
    }
    if (isMissing && this.#isSandboxExpected()) {
      this.#polls += 1
      if (!pod.hasAddress) this.#pendingSince = performance.now()
      return Math.min(MIN_SANDBOX_POLL_MS * 1.1 ** this.#polls, MAX_SANDBOX_POLL_MS)
    }
    this.#failures += 1
    this.error = error
    this.#parts.onFailure(pod, error)
    return backoffMs(this.#failures)
  }

  /** Returns true while it is normal that no sandbox of the pod is found. */
  #isSandboxExpected(): boolean {
    return !this.pod.hasAddress || this.pendingMs < SANDBOX_GRACE_MS
  }
}

/** Returns true if the pod has an address now, and so a sandbox, or has begun to end. */
function isNews(earlier: RoutedPod, pod: RoutedPod): boolean {
  return (pod.hasAddress && !earlier.hasAddress) || (pod.isEnding && !earlier.isEnding)
}

/** Returns true for a failure that the agent's settings cause, and that other pods would have, too. */
const isOfAgent = (error: unknown) =>
  error instanceof RouteFailure && error.reason === 'kubelet_directory'
