/** Keeps the pods of the node routed: one attempt at a time per pod, with backoff after failures. */
import { backoffMs } from '../../lib/retry.ts'
import { type Route, RouteFailure, type RoutePod } from './route-pod.ts'
import { parseRoutedPod, type RoutedPod } from './routed-pod.ts'

interface ReconcilerOptions {
  readonly route: RoutePod
  /**
   * Called when a pod was routed that was not before; `durationMs` since its sandbox existed, or since an attempt to
   * route it again failed.
   */
  readonly onRouted: (pod: RoutedPod, durationMs: number) => void
  readonly onFailure: (pod: RoutedPod, error: unknown) => void
}

interface Entry {
  pod: RoutedPod
  /** While it is not routed: since when, at the earliest since it has a sandbox. */
  pendingSince: number
  /** Undefined if it is not routed. */
  route: Route | undefined
  isRunning: boolean
  failures: number
  /** How often its sandbox has been looked for without success. */
  polls: number
  retry: NodeJS.Timeout | undefined
}

/** Each attempt is a few short child processes. */
const MAX_CONCURRENT = 4
/** How often the sandbox of a new pod is looked for: it comes at once, or later if the pod waits for a volume. */
const MIN_SANDBOX_POLL_MS = 200
const MAX_SANDBOX_POLL_MS = 2000
/** How long the API server may take to say that a pod has ended whose sandbox does not exist any more. */
const SANDBOX_GRACE_MS = 10_000

/** What is known of the pods of this node, and the attempts to route them. */
export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #entries = new Map<string, Entry>()
  readonly #queue: Entry[] = []
  #running = 0

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** Takes a pod as the API server sends it. */
  readonly onPod = (uid: string, value: unknown): void => {
    const pod = parseRoutedPod(value)
    if (pod === undefined) {
      this.onDeleted(uid)
      return
    }
    const entry = this.#entries.get(pod.uid) ?? {
      pod,
      pendingSince: performance.now(),
      route: undefined,
      isRunning: false,
      failures: 0,
      polls: 0,
      retry: undefined,
    }
    this.#entries.set(pod.uid, entry)
    if (pod.hasAddress && !entry.pod.hasAddress) stopRetry(entry)
    entry.pod = pod
    if (entry.retry === undefined) this.#enqueue(entry)
  }

  readonly onDeleted = (uid: string): void => {
    const entry = this.#entries.get(uid)
    if (entry === undefined) return
    stopRetry(entry)
    this.#entries.delete(uid)
    if (this.#queue.includes(entry)) this.#queue.splice(this.#queue.indexOf(entry), 1)
  }

  /** Forgets every pod that is not among these. */
  onListed(uids: ReadonlySet<string>): void {
    for (const uid of this.#entries.keys()) if (!uids.has(uid)) this.onDeleted(uid)
  }

  counts(): { readonly routed: number; readonly pending: number } {
    const pending = [...this.#entries.values()].filter(isPending).length
    return { routed: this.#entries.size - pending, pending }
  }

  /** Returns the longest time that a pod with an address has been pending, in milliseconds; 0 if none is. */
  longestPendingMs(): number {
    const now = performance.now()
    const pending = [...this.#entries.values()].filter(isPending)
    const times = pending
      .filter(({ pod }) => pod.hasAddress)
      .map(({ pendingSince }) => now - pendingSince)
    return Math.max(0, ...times)
  }

  close(): void {
    for (const uid of this.#entries.keys()) this.onDeleted(uid)
  }

  #enqueue(entry: Entry): void {
    if (entry.isRunning || this.#queue.includes(entry)) return
    this.#queue.push(entry)
    this.#startNext()
  }

  #startNext(): void {
    if (this.#running >= MAX_CONCURRENT) return
    const entry = this.#queue.shift()
    if (entry === undefined) return
    this.#running += 1
    void this.#attempt(entry).finally(() => {
      this.#running -= 1
      this.#startNext()
    })
    this.#startNext()
  }

  async #attempt(entry: Entry): Promise<void> {
    const { route, onRouted } = this.#options
    const { pod } = entry
    entry.isRunning = true
    try {
      const made = await route(pod, entry.route)
      entry.failures = 0
      entry.polls = 0
      if (entry.route === undefined) onRouted(pod, performance.now() - entry.pendingSince)
      entry.route = made
    } catch (error) {
      // A pod that has ended in the meantime is no failure.
      if (this.#entries.get(pod.uid) !== entry) return
      if (entry.route !== undefined) entry.pendingSince = performance.now()
      entry.route = undefined
      this.#retryLater(entry, error)
      return
    } finally {
      entry.isRunning = false
    }
    // It may have changed in the meantime.
    if (this.#entries.get(pod.uid) === entry && entry.pod !== pod) this.#enqueue(entry)
  }

  #retryLater(entry: Entry, error: unknown): void {
    const { pod } = entry
    const isExpected = isSandboxExpected(entry, error)
    if (isExpected) {
      entry.polls += 1
      if (!pod.hasAddress) entry.pendingSince = performance.now()
    } else {
      entry.failures += 1
      this.#options.onFailure(pod, error)
    }
    const delayMs = isExpected
      ? Math.min(MIN_SANDBOX_POLL_MS * 1.1 ** entry.polls, MAX_SANDBOX_POLL_MS)
      : backoffMs(entry.failures)
    entry.retry = setTimeout(() => {
      entry.retry = undefined
      this.#enqueue(entry)
    }, delayMs)
  }
}

function stopRetry(entry: Entry): void {
  clearTimeout(entry.retry)
  entry.retry = undefined
}

const isPending = ({ route }: Entry) => route === undefined

/** Returns true while it is normal that no sandbox of the pod is found. */
function isSandboxExpected({ pod, pendingSince }: Entry, error: unknown): boolean {
  if (!(error instanceof RouteFailure) || error.reason !== 'namespace_not_found') return false
  return !pod.hasAddress || performance.now() - pendingSince < SANDBOX_GRACE_MS
}
