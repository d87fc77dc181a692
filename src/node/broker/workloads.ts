/** The pods of a node, grouped into workloads. */
import type { SocketHandle } from '../../broker/server/listen.ts'
import { formatPod, type ServedPod, type WaitingPod } from './messages.ts'
import { createWorkloadKey, type NodeParts, Workload } from './workload.ts'

interface PodOfWorkload {
  readonly pod: ServedPod
  readonly workload: Workload
}

export class Workloads {
  readonly #node: NodeParts
  readonly #byKey = new Map<string, Workload>()
  /** By UID, the oldest first. */
  readonly #pods = new Map<string, PodOfWorkload>()
  readonly #waiting = new Map<string, WaitingPod>()
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

  /** Returns the pods that wait for the agent. */
  waiting(): readonly WaitingPod[] {
    return [...this.#waiting.values()]
  }

  /** Lists a pod until it is served or closed. */
  addWaiting(waiting: WaitingPod): void {
    this.#waiting.set(waiting.pod.uid, waiting)
  }

  /** Finds a pod by its UID, or by `NAMESPACE/NAME` the newest: its predecessor of the same name may still be served. */
  find(pod: string): PodOfWorkload | undefined {
    const pods = [...this.#pods.values()]
    return pods.findLast((each) => [each.pod.uid, formatPod(each.pod)].includes(pod))
  }

  /** Serves a pod on its socket, in place of an earlier one. */
  serve(pod: ServedPod, socket: SocketHandle): void {
    this.#waiting.delete(pod.uid)
    const key = createWorkloadKey(pod)
    const workload = this.#byKey.get(key) ?? this.#createWorkload(pod)
    const isSame = this.#pods.get(pod.uid)?.workload === workload
    void (isSame ? workload.remove(pod.uid, 0) : this.close(pod.uid, 0))
    this.#byKey.set(key, workload)
    this.#pods.set(pod.uid, { pod, workload })
    workload.add(pod, socket)
  }

  /** Closes the socket and connections of a pod; tokens are forgotten with the last pod of its workload. */
  async close(uid: string, timeoutMs: number): Promise<void> {
    this.#waiting.delete(uid)
    const found = this.#pods.get(uid)
    if (found === undefined) return
    const { pod, workload } = found
    this.#pods.delete(uid)
    const closed = workload.remove(uid, timeoutMs)
    if (workload.pods.length > 0) return closed
    this.#byKey.delete(createWorkloadKey(pod))
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
    await Promise.all([...this.#pods.keys()].map((uid) => this.close(uid, timeoutMs)))
  }
}
