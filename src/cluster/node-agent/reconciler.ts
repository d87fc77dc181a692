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

export interface Reconciler {
  /** Takes a pod as the API server sends it. */
  readonly onPod: (uid: string, pod: unknown) => void
  readonly onDeleted: (uid: string) => void
  /** Forgets every pod that is not among these. */
  readonly onListed: (uids: ReadonlySet<string>) => void
  readonly counts: () => { readonly routed: number; readonly pending: number }
  /** Returns the longest time that a pod with an address has been pending, in milliseconds; 0 if none is. */
  readonly longestPendingMs: () => number
  readonly close: () => void
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

/** Creates the reconciler. */
export function createReconciler({ route, onRouted, onFailure }: ReconcilerOptions): Reconciler {
  const entries = new Map<string, Entry>()
  const queue: Entry[] = []
  let running = 0

  function onPod(uid: string, value: unknown): void {
    const pod = parseRoutedPod(value)
    if (pod === undefined) {
      onDeleted(uid)
      return
    }
    const entry = entries.get(pod.uid) ?? {
      pod,
      pendingSince: performance.now(),
      route: undefined,
      isRunning: false,
      failures: 0,
      polls: 0,
      retry: undefined,
    }
    entries.set(pod.uid, entry)
    if (pod.hasAddress && !entry.pod.hasAddress) stopRetry(entry)
    entry.pod = pod
    if (entry.retry === undefined) enqueue(entry)
  }

  function enqueue(entry: Entry): void {
    if (entry.isRunning || queue.includes(entry)) return
    queue.push(entry)
    startNext()
  }

  function startNext(): void {
    if (running >= MAX_CONCURRENT) return
    const entry = queue.shift()
    if (entry === undefined) return
    running += 1
    void attempt(entry).finally(() => {
      running -= 1
      startNext()
    })
    startNext()
  }

  async function attempt(entry: Entry): Promise<void> {
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
      if (entries.get(pod.uid) !== entry) return
      if (entry.route !== undefined) entry.pendingSince = performance.now()
      entry.route = undefined
      retryLater(entry, error)
      return
    } finally {
      entry.isRunning = false
    }
    // It may have changed in the meantime.
    if (entries.get(pod.uid) === entry && entry.pod !== pod) enqueue(entry)
  }

  function retryLater(entry: Entry, error: unknown): void {
    const { pod } = entry
    const isExpected = isSandboxExpected(entry, error)
    if (isExpected) {
      entry.polls += 1
      if (!pod.hasAddress) entry.pendingSince = performance.now()
    } else {
      entry.failures += 1
      onFailure(pod, error)
    }
    const delayMs = isExpected
      ? Math.min(MIN_SANDBOX_POLL_MS * 1.1 ** entry.polls, MAX_SANDBOX_POLL_MS)
      : backoffMs(entry.failures)
    entry.retry = setTimeout(() => {
      entry.retry = undefined
      enqueue(entry)
    }, delayMs)
  }

  function stopRetry(entry: Entry): void {
    clearTimeout(entry.retry)
    entry.retry = undefined
  }

  function onDeleted(uid: string): void {
    const entry = entries.get(uid)
    if (entry === undefined) return
    stopRetry(entry)
    entries.delete(uid)
    if (queue.includes(entry)) queue.splice(queue.indexOf(entry), 1)
  }

  return {
    onPod,
    onDeleted,
    onListed: (uids) => {
      for (const uid of entries.keys()) if (!uids.has(uid)) onDeleted(uid)
    },
    counts: () => {
      const pending = [...entries.values()].filter(isPending).length
      return { routed: entries.size - pending, pending }
    },
    longestPendingMs: () => {
      const now = performance.now()
      const pending = [...entries.values()].filter(isPending).filter(({ pod }) => pod.hasAddress)
      return Math.max(0, ...pending.map(({ pendingSince }) => now - pendingSince))
    },
    close: () => {
      for (const uid of entries.keys()) onDeleted(uid)
    },
  }
}

const isPending = ({ route }: Entry) => route === undefined

/** Returns true while it is normal that no sandbox of the pod is found. */
function isSandboxExpected({ pod, pendingSince }: Entry, error: unknown): boolean {
  if (!(error instanceof RouteFailure) || error.reason !== 'namespace_not_found') return false
  return !pod.hasAddress || performance.now() - pendingSince < SANDBOX_GRACE_MS
}
