/** The pods of a node, grouped into workloads. */
import type { SocketHandle } from '../../sidecar/server/listen.ts'
import type { ServedPod } from './messages.ts'
import { createWorkloadKey, type NodeParts, Workload } from './workload.ts'

export class Workloads {
  readonly #node: NodeParts
  readonly #byKey = new Map<string, Workload>()
  readonly #keys = new Map<string, string>()
  readonly #onEnd: (workload: Workload) => void

  /** `onEnd` is called with each workload whose last pod has gone, before its tokens are forgotten. */
  constructor(node: NodeParts, onEnd: (workload: Workload) => void) {
    this.#node = node
    this.#onEnd = onEnd
  }

  /** Returns the workloads, the oldest first. */
  all(): readonly Workload[] {
    return [...this.#byKey.values()]
  }

  /** Serves a pod on its socket, in place of the one that it had. */
  serve(pod: ServedPod, socket: SocketHandle): void {
    const key = createWorkloadKey(pod)
    const workload = this.#byKey.get(key) ?? this.#createWorkload(pod)
    void (this.#keys.get(pod.uid) === key ? workload.remove(pod.uid, 0) : this.close(pod.uid, 0))
    this.#byKey.set(key, workload)
    this.#keys.set(pod.uid, key)
    workload.add(pod, socket)
  }

  /** Closes the socket and connections of a pod; tokens are forgotten with the last pod of its workload. */
  async close(uid: string, timeoutMs: number): Promise<void> {
    const key = this.#keys.get(uid)
    const workload = this.#byKey.get(key ?? '')
    if (key === undefined || workload === undefined) return
    this.#keys.delete(uid)
    const closed = workload.remove(uid, timeoutMs)
    if (workload.pods.length > 0) return closed
    this.#byKey.delete(key)
    this.#onEnd(workload)
    await closed
    workload.end()
  }

  #createWorkload(pod: ServedPod): Workload {
    const sibling = this.all().find(({ namespace }) => namespace === pod.namespace)
    return new Workload(pod, this.#node, sibling)
  }

  /** Closes all sockets, and after `timeoutMs` all connections. */
  async closeAll(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#keys.keys()].map((uid) => this.close(uid, timeoutMs)))
  }
}
