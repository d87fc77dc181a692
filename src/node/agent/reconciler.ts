/** Keeps the pods of the node routed: one attempt at a time per pod, with backoff after failures. */
import { backoffMs } from '../../lib/retry.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import { type Route, RouteFailure, type RoutePod } from './route-pod.ts'
import { parseRoutedPod, type RoutedPod } from './routed-pod.ts'

interface ReconcilerOptions {
  readonly route: RoutePod
  /** Called with each new route of a pod, which replaces its earlier one. */
  readonly onRoute: (pod: RoutedPod, route: Route) => void
  /** Called when the route of a pod is no longer its own. */
  readonly onClose: (uid: string) => void
  /** Called when a pod has ended or was deleted, and its sandbox is gone. */
  readonly onEnd: (uid: string) => void
  readonly onFailure: (pod: RoutedPod, error: unknown) => void
}

interface Entry {
  pod: RoutedPod
  /** While it is not served: since when, at the earliest since it has a sandbox. */
  pendingSince: number
  /** Undefined if it is not routed. */
  route: Route | undefined
  /** The broker's answer: it serves the pod, or why not; undefined if there is none yet. */
  answer: 'serving' | RouteFailure | undefined
  /** Whether an attempt runs, or waits for its turn. */
  isScheduled: boolean
  failures: number
  /** How often its sandbox has been looked for without success. */
  polls: number
  retry: NodeJS.Timeout | undefined
}

/** Each attempt is a short child process, which runs the tools. */
const MAX_CONCURRENT = 4
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
  readonly #limit = createSemaphore({ maxConcurrent: MAX_CONCURRENT })
  readonly #started = Promise.withResolvers<void>()

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /**
   * Lets pods be routed. Before, no broker takes them: a socket of this agent would take connections from the agent that
   * it replaces, and let them wait.
   */
  start(): void {
    this.#started.resolve()
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

  /** Records why the broker does not serve the pod, and reports it again and again, like a failed attempt. */
  onRefused(uid: string, problem: string): void {
    const entry = this.#entries.get(uid)
    if (entry === undefined) return
    entry.answer = new RouteFailure('settings_invalid', problem)
    this.#onFailure(entry, entry.answer)
  }

  /** Counts all pods as pending until the next broker serves them. */
  onBrokerEnd(): void {
    for (const entry of this.#entries.values()) {
      if (!isPending(entry)) entry.pendingSince = performance.now()
      entry.answer = undefined
    }
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
      .filter(({ pod }) => pod.hasAddress)
      .map(({ pod }) => this.pendingMs(pod.uid))
    return Math.max(0, ...times)
  }

  /** Returns true when every pod that can be served is. */
  isSettled(): boolean {
    return [...this.#entries.values()].every(
      ({ answer, failures, polls }) => answer !== undefined || failures > 0 || polls > 0,
    )
  }

  close(): void {
    for (const entry of this.#entries.values()) stopRetry(entry)
    this.#entries.clear()
  }

  #schedule(entry: Entry): void {
    if (entry.isScheduled) return
    entry.isScheduled = true
    void this.#started.promise.then(() => this.#limit(() => this.#attempt(entry)))
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
      if (entry.pod.isEnding) this.#retryAfter(entry, END_POLL_MS)
    } catch (error) {
      if (this.#entries.get(pod.uid) !== entry) return
      if (error instanceof RouteFailure) this.#setRoute(entry, undefined)
      this.#onFailure(entry, error)
      return
    } finally {
      entry.isScheduled = false
    }
    // It may have changed in the meantime.
    if (entry.pod !== pod) this.#schedule(entry)
  }

  #setRoute(entry: Entry, route: Route | undefined): void {
    const { onRoute, onClose } = this.#options
    if (entry.route !== undefined) {
      entry.pendingSince = performance.now()
      onClose(entry.pod.uid)
    }
    entry.answer = undefined
    entry.route = route
    if (route !== undefined) onRoute(entry.pod, route)
  }

  #onFailure(entry: Entry, error: unknown): void {
    const { pod } = entry
    const isMissing = error instanceof RouteFailure && error.reason === 'namespace_not_found'
    // It has ended: no failure.
    if (isMissing && pod.isEnding) {
      this.#entries.delete(pod.uid)
      this.#options.onEnd(pod.uid)
    } else if (isMissing && isSandboxExpected(entry)) {
      entry.polls += 1
      if (!pod.hasAddress) entry.pendingSince = performance.now()
      const delayMs = MIN_SANDBOX_POLL_MS * 1.1 ** entry.polls
      this.#retryAfter(entry, Math.min(delayMs, MAX_SANDBOX_POLL_MS))
    } else {
      entry.failures += 1
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

/** Returns true while its sandbox is polled; an attempt that failed is repeated with backoff. */
const isLooking = ({ retry, failures }: Entry) => retry !== undefined && failures === 0

const isPending = ({ answer }: Entry) => answer !== 'serving'

/** Returns true while it is normal that no sandbox of the pod is found. */
function isSandboxExpected({ pod, pendingSince }: Entry): boolean {
  return !pod.hasAddress || performance.now() - pendingSince < SANDBOX_GRACE_MS
}
