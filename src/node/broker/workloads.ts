/** The pods of the broker, grouped into workloads. */
import type { SocketHandle } from '../../service/listen.ts'
import type { ServedPod, TokenKey } from './messages.ts'
import { createWorkloadKey, type NodeParts, Workload } from './workload.ts'

export class Workloads {
  readonly #node: NodeParts
  readonly #byKey = new Map<string, Workload>()

  constructor(node: NodeParts) {
    this.#node = node
  }

  /** Returns the workloads, the oldest first. */
  all(): readonly Workload[] {
    return [...this.#byKey.values()]
  }

  /** Returns the workload of the pod. */
  find(uid: string): Workload | undefined {
    return this.all().find(({ pods }) => pods.has(uid))
  }

  /** Serves a pod on its socket, which replaces an earlier socket of the pod. */
  serve(pod: ServedPod, socket: SocketHandle, keys?: readonly TokenKey[]): void {
    const key = createWorkloadKey(pod)
    const workload = this.#byKey.get(key) ?? new Workload(pod, this.#node)
    const isSame = workload.pods.has(pod.uid)
    void (isSame ? workload.remove(pod.uid, 0) : this.close(pod.uid, 0))
    this.#byKey.set(key, workload)
    workload.add(pod, socket, keys)
  }

  /** Closes the socket and connections of a pod; tokens are forgotten with the last pod of its workload. */
  async close(uid: string, timeoutMs: number): Promise<void> {
    const workload = this.find(uid)
    if (workload === undefined) return
    const closed = workload.remove(uid, timeoutMs)
    if (workload.pods.size > 0) return closed
    for (const [key, each] of this.#byKey) if (each === workload) this.#byKey.delete(key)
    await closed
    workload.end()
  }

  /** Closes all sockets, and after `timeoutMs` all connections. */
  async closeAll(timeoutMs: number): Promise<void> {
    const uids = this.all().flatMap(({ pods }) => [...pods.keys()])
    await Promise.all(uids.map((uid) => this.close(uid, timeoutMs)))
  }
}
