/** Keeps the pods of the node routed: one attempt at a time per pod, with backoff after failures. */
import { backoffMs } from '../../lib/backoff.ts'
import type { RoutePod } from './route-pod.ts'
import { parseRoutedPod, type RoutedPod } from './routed-pod.ts'

interface ReconcilerOptions {
  readonly route: RoutePod
  /** Called when a pod was routed that was not before; `durationMs` since its address was first seen, or since an attempt to route it again failed. */
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
  /** Returns how long the pod has waited that waits longest, in milliseconds; 0 if none waits. */
  readonly longestPendingMs: () => number
  readonly close: () => void
}

interface Entry {
  pod: RoutedPod
  /** While it is not routed: since when. */
  pendingSince: number
  /** What is in force; another address, or a sidecar that has started or restarted, needs another attempt. */
  done: string | undefined
  isRunning: boolean
  failures: number
  retry: NodeJS.Timeout | undefined
}

/** Each attempt is a few short child processes. */
const MAX_CONCURRENT = 4

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
      done: undefined,
      isRunning: false,
      failures: 0,
      retry: undefined,
    }
    entries.set(pod.uid, entry)
    entry.pod = pod
    if (entry.retry === undefined) enqueue(entry)
  }

  function enqueue(entry: Entry): void {
    if (entry.isRunning || queue.includes(entry) || entry.done === stateOf(entry.pod)) return
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
      await route(pod)
      entry.failures = 0
      if (entry.done === undefined) onRouted(pod, performance.now() - entry.pendingSince)
      entry.done = stateOf(pod)
    } catch (error) {
      // A pod that has ended in the meantime is no failure.
      if (entries.get(pod.uid) !== entry) return
      if (entry.done !== undefined) entry.pendingSince = performance.now()
      entry.done = undefined
      entry.failures += 1
      onFailure(pod, error)
      entry.retry = setTimeout(() => {
        entry.retry = undefined
        enqueue(entry)
      }, backoffMs(entry.failures))
      return
    } finally {
      entry.isRunning = false
    }
    // It may have changed in the meantime.
    if (entries.get(pod.uid) === entry) enqueue(entry)
  }

  function onDeleted(uid: string): void {
    const entry = entries.get(uid)
    if (entry === undefined) return
    clearTimeout(entry.retry)
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
      const routed = [...entries.values()].filter(({ done }) => done !== undefined).length
      return { routed, pending: entries.size - routed }
    },
    longestPendingMs: () => {
      const now = performance.now()
      const pending = [...entries.values()].filter(({ done }) => done === undefined)
      return Math.max(0, ...pending.map(({ pendingSince }) => now - pendingSince))
    },
    close: () => {
      for (const uid of entries.keys()) onDeleted(uid)
    },
  }
}

/** A sandbox that is made again has other addresses, or at least a sidecar that starts again. */
function stateOf({ addresses, port, isSidecarStarted }: RoutedPod): string {
  return [...addresses, port, isSidecarStarted].join(' ')
}
