/** Keeps the pods of the node routed: one attempt at a time per pod, with backoff after failures. */
import { backoffMs } from '../../lib/retry.ts'
import { type Route, RouteFailure, type RoutePod } from './route-pod.ts'
import { parseRoutedPod, type RoutedPod } from './routed-pod.ts'

interface ReconcilerOptions {
  readonly route: RoutePod
  /** Called with each new route of a pod, which replaces its earlier one. */
  readonly onRoute: (pod: RoutedPod, route: Route) => void
  /** Called when the route of a pod is no longer its own. */
  readonly onClose: (pod: RoutedPod) => void
  /** Called when a pod has ended or was deleted, and its sandbox is gone. */
  readonly onEnd: (pod: RoutedPod) => void
  readonly onFailure: (pod: RoutedPod, error: unknown) => void
}

interface Entry {
  pod: RoutedPod
  /** While it is not served: since when, at the earliest since it has a sandbox. */
  pendingSince: number
  /** The route of the pod; undefined if it has none. */
  route: Route | undefined
  /** The broker's answer: it serves the pod, fetches its tokens, or says why not; undefined if there is none yet. */
  answer: 'serving' | 'fetching' | RouteFailure | undefined
  /** True while an attempt runs, or waits for its turn. */
  isScheduled: boolean
  failures: number
  /** Why the last attempt failed; undefined once one has not. */
  error: unknown
  /** How often its sandbox has been looked for without success. */
  polls: number
  retry: NodeJS.Timeout | undefined
}

/**
 * How often the sandbox of a new pod is looked for, where no change of the sandboxes is reported: it comes at once, or
 * later if the pod waits for a volume.
 */
const MIN_SANDBOX_POLL_MS = 200
const MAX_SANDBOX_POLL_MS = 2000
/** How often the sandbox of a pod that is ending is looked for. */
const END_POLL_MS = 1000
/** How long the API server may take to say that a pod has ended whose sandbox does not exist any more. */
const SANDBOX_GRACE_MS = 10_000

/** The pods of this node, and the attempts to route them. */
export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** Takes a pod as the API server sends it. */
  readonly onPod = (uid: string, value: unknown): void => {
    const pod = parseRoutedPod(value)
    if (pod === undefined) this.onDeleted(uid)
    else this.add(pod)
  }

  /** Takes a pod. One that is ending is routed, too: its containers may run for a while. */
  add(pod: RoutedPod): void {
    const entry = this.#entries.get(pod.uid) ?? {
      pod,
      pendingSince: performance.now(),
      route: undefined,
      answer: undefined,
      isScheduled: false,
      failures: 0,
      error: undefined,
      polls: 0,
      retry: undefined,
    }
    this.#entries.set(pod.uid, entry)
    const hasChanged = isNews(entry.pod, pod)
    entry.pod = pod
    if (hasChanged || entry.route !== undefined) stopRetry(entry)
    if (entry.retry === undefined) this.#schedule(entry)
  }

  /** Lets the pod be served until its sandbox is gone. */
  readonly onDeleted = (uid: string): void => {
    const entry = this.#entries.get(uid)
    if (entry === undefined) return
    // The sandbox is gone by now, as a rule.
    stopRetry(entry)
    this.add({ ...entry.pod, isEnding: true })
  }

  /** Takes the uids of all pods; the others have been deleted. */
  onListed(uids: ReadonlySet<string>): void {
    for (const uid of this.#entries.keys()) if (!uids.has(uid)) this.onDeleted(uid)
  }

  /** Returns true if the sandbox of a pod is looked for: of one that starts, or of one that ends. */
  isLooking(): boolean {
    return [...this.#entries.values()].some(isLooking)
  }

  /** Looks for these sandboxes now. */
  look(): void {
    for (const entry of this.#entries.values()) {
      if (!isLooking(entry)) continue
      stopRetry(entry)
      this.#schedule(entry)
    }
  }

  /** Records that the broker answers on the socket of the pod. */
  onServing(uid: string): void {
    const entry = this.#entries.get(uid)
    if (entry !== undefined) entry.answer = 'serving'
  }

  /** Records that the broker fetches the tokens of the earlier agent, which serves the pod until then. */
  onFetching(uid: string): void {
    const entry = this.#entries.get(uid)
    if (entry !== undefined) entry.answer = 'fetching'
  }

  /** Records why the broker does not serve the pod, and reports it again and again, like a failed attempt. */
  onRefused(uid: string, problem: string): void {
    const entry = this.#entries.get(uid)
    if (entry === undefined) return
    entry.answer = new RouteFailure('settings_invalid', problem)
    this.#onFailure(entry, entry.answer)
  }

  /** Counts these pods as pending until the next broker serves them. */
  onBrokerEnd(pods: readonly RoutedPod[]): void {
    for (const { uid } of pods) {
      const entry = this.#entries.get(uid)
      if (entry === undefined) continue
      if (!isPending(entry)) entry.pendingSince = performance.now()
      entry.answer = undefined
    }
  }

  /** Returns all pods, with the error of the last attempt if it failed. */
  list(): readonly { readonly pod: RoutedPod; readonly error: unknown }[] {
    return [...this.#entries.values()]
  }

  /** Returns the pods that have a route. */
  routed(): { readonly pod: RoutedPod; readonly route: Route }[] {
    return [...this.#entries.values()].flatMap(({ pod, route }) => (route ? { pod, route } : []))
  }

  counts(): { readonly routed: number; readonly pending: number } {
    const pending = [...this.#entries.values()].filter(isPending).length
    return { routed: this.#entries.size - pending, pending }
  }

  /** Returns for how long the pod has been pending, in milliseconds. */
  pendingMs(uid: string): number {
    return performance.now() - (this.#entries.get(uid)?.pendingSince ?? performance.now())
  }

  /** Returns the longest time that a pod with an address has been pending, in milliseconds; 0 if none is. */
  longestPendingMs(): number {
    const pending = [...this.#entries.values()].filter(isPending)
    const times = pending
      .filter(({ pod, answer }) => pod.hasAddress && answer !== 'fetching')
      .map(({ pod }) => this.pendingMs(pod.uid))
    return Math.max(0, ...times)
  }

  /**
   * Returns true when every pod that can be served is, and none fails since the agent's own settings are wrong. A pod whose
   * tokens are fetched is served by the earlier agent only while `isWaiting`; a broker can say so for ever.
   */
  isSettled(isWaiting: boolean): boolean {
    return [...this.#entries.values()].every(
      ({ pod, answer, failures, polls, error }) =>
        (answer === 'fetching' ? !isWaiting : answer !== undefined) ||
        polls > 0 ||
        (failures > 0 && (pod.isEnding || !isOfAgent(error))),
    )
  }

  close(): void {
    for (const entry of this.#entries.values()) stopRetry(entry)
    this.#entries.clear()
  }

  #schedule(entry: Entry): void {
    if (entry.isScheduled) return
    entry.isScheduled = true
    void this.#attempt(entry)
  }

  async #attempt(entry: Entry): Promise<void> {
    const { pod, route } = entry
    if (this.#entries.get(pod.uid) !== entry) return
    try {
      const made = await this.#options.route(pod, route)
      if (this.#entries.get(pod.uid) !== entry) {
        if (made !== route) made.socket.close()
        return
      }
      if (made !== route) this.#setRoute(entry, made)
      entry.polls = 0
      if (entry.answer instanceof RouteFailure && !entry.pod.isEnding) {
        this.#onFailure(entry, entry.answer)
        return
      }
      entry.failures = 0
      entry.error = undefined
      if (entry.pod.isEnding) this.#retryAfter(entry, END_POLL_MS)
    } catch (error) {
      if (this.#entries.get(pod.uid) !== entry) return
      if (error instanceof RouteFailure) this.#setRoute(entry, undefined)
      this.#onFailure(entry, error)
      return
    } finally {
      entry.isScheduled = false
    }
    // The pod may have changed in the meantime.
    if (entry.pod !== pod) this.#schedule(entry)
  }

  #setRoute(entry: Entry, route: Route | undefined): void {
    const { onRoute, onClose } = this.#options
    if (entry.route !== undefined) {
      entry.pendingSince = performance.now()
      onClose(entry.pod)
    }
    entry.answer = undefined
    entry.route = undefined
    if (route === undefined) return
    try {
      onRoute(entry.pod, route)
      entry.route = route
    } catch (error) {
      // An open socket would take connections that no process accepts.
      route.socket.close()
      throw error
    }
  }

  #onFailure(entry: Entry, error: unknown): void {
    const { pod } = entry
    const isMissing = error instanceof RouteFailure && error.reason === 'namespace_not_found'
    // The pod has ended, which is no failure.
    if (isMissing && pod.isEnding) {
      this.#entries.delete(pod.uid)
      this.#options.onEnd(pod)
    } else if (isMissing && isSandboxExpected(entry)) {
      entry.polls += 1
      if (!pod.hasAddress) entry.pendingSince = performance.now()
      const delayMs = MIN_SANDBOX_POLL_MS * 1.1 ** entry.polls
      this.#retryAfter(entry, Math.min(delayMs, MAX_SANDBOX_POLL_MS))
    } else {
      entry.failures += 1
      entry.error = error
      this.#options.onFailure(pod, error)
      this.#retryAfter(entry, backoffMs(entry.failures))
    }
  }

  #retryAfter(entry: Entry, delayMs: number): void {
    stopRetry(entry)
    entry.retry = setTimeout(() => {
      entry.retry = undefined
      this.#schedule(entry)
    }, delayMs)
  }
}

function stopRetry(entry: Entry): void {
  clearTimeout(entry.retry)
  entry.retry = undefined
}

/** Returns true if the sandbox of the pod exists now, or may be gone. */
function isNews(earlier: RoutedPod, pod: RoutedPod): boolean {
  return (pod.hasAddress && !earlier.hasAddress) || (pod.isEnding && !earlier.isEnding)
}

/** The agent with these settings would fail for other pods, too; a pod that is ending may have no directory any more. */
const isOfAgent = (error: unknown) =>
  error instanceof RouteFailure && error.reason === 'kubelet_directory'

/** Returns true while its sandbox is polled; an attempt that failed is repeated with backoff. */
const isLooking = ({ retry, failures }: Entry) => retry !== undefined && failures === 0

const isPending = ({ answer }: Entry) => answer !== 'serving'

/** Returns true while it is normal that no sandbox of the pod is found. */
function isSandboxExpected({ pod, pendingSince }: Entry): boolean {
  return !pod.hasAddress || performance.now() - pendingSince < SANDBOX_GRACE_MS
}
