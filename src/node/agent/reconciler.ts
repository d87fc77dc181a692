/** Keeps the pods of the node routed. */
import { NodePod, type PodParts } from './node-pod.ts'
import { parseRoutedPod, type RoutedPod } from './routed-pod.ts'

export class Reconciler {
  readonly #parts: PodParts
  /** The pods of this node, by uid. */
  readonly pods = new Map<string, NodePod>()

  constructor(parts: PodParts) {
    const onEnd = (pod: RoutedPod) => {
      this.pods.delete(pod.uid)
      parts.onEnd(pod)
    }
    this.#parts = { ...parts, onEnd }
  }

  /** Takes a pod as the API server sends it. */
  readonly onPod = (uid: string, value: unknown): void => {
    const pod = parseRoutedPod(value)
    if (pod === undefined) this.onDeleted(uid)
    else this.add(pod)
  }

  add(pod: RoutedPod): void {
    const known = this.pods.get(pod.uid)
    if (known === undefined) this.pods.set(pod.uid, new NodePod(pod, this.#parts))
    else known.update(pod)
  }

  readonly onDeleted = (uid: string): void => this.pods.get(uid)?.onDeleted()

  /** Takes the uids of all pods of the node. A pod with another uid has been deleted. */
  onListed(uids: ReadonlySet<string>): void {
    for (const [uid, pod] of this.pods) if (!uids.has(uid)) pod.onDeleted()
  }

  /** Looks for the sandboxes of the pods that start or end. If there are such pods, calls `prepare` first. */
  look(prepare: () => void): void {
    const looking = [...this.pods.values()].filter(({ isLooking }) => isLooking)
    if (looking.length > 0) prepare()
    for (const pod of looking) pod.look()
  }

  counts(): { readonly routed: number; readonly pending: number } {
    const routed = [...this.pods.values()].filter(({ answer }) => answer === 'serving').length
    return { routed, pending: this.pods.size - routed }
  }

  /** Returns the longest time that a pod with an address has been pending, in milliseconds; 0 if none is. */
  longestPendingMs(): number {
    const pending = [...this.pods.values()].filter(
      ({ pod, answer }) => pod.hasAddress && answer !== 'serving' && answer !== 'fetching',
    )
    return Math.max(0, ...pending.map(({ pendingMs }) => pendingMs))
  }

  isSettled(isWaiting: boolean, isLate = false): boolean {
    return [...this.pods.values()].every((pod) => pod.isSettled(isWaiting, isLate))
  }

  /** Ends the attempts. The brokers close the sockets. */
  close(): void {
    for (const pod of this.pods.values()) pod.close()
  }
}
