/** The brokers of a node: one for each namespace that has pods of mode `node` here. */
import { createSemaphore } from '../../lib/semaphore.ts'
import type { ServeRequest } from './broker-pods.ts'
import { type BrokerParts, NamespaceBroker } from './namespace-broker.ts'
import { RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

interface BrokersOptions extends Omit<BrokerParts, 'limitStarts'> {
  readonly maxBrokers: number
}

const MAX_STARTS = 4
/** How long a broker without pods keeps running: the next pod of its namespace may come soon. */
const IDLE_MS = 60_000

export class Brokers {
  readonly #parts: BrokerParts & BrokersOptions
  readonly #brokers = new Map<string, NamespaceBroker>()
  /** A broker that has no namespace yet. */
  #spare: NamespaceBroker | undefined
  readonly #idleCheck: NodeJS.Timeout

  constructor(options: BrokersOptions) {
    this.#parts = { ...options, limitStarts: createSemaphore({ maxConcurrent: MAX_STARTS }) }
    this.#idleCheck = setInterval(() => this.#endIdle(), IDLE_MS / 10).unref()
  }

  /** Starts a broker before there is a pod: it checks the settings of the node. The first namespace gets it. */
  start(): void {
    this.#spare = new NamespaceBroker(this.#parts)
  }

  all(): readonly NamespaceBroker[] {
    return [...this.#brokers.values(), ...(this.#spare === undefined ? [] : [this.#spare])]
  }

  /** Lets the broker of the pod's namespace serve it until the signal aborts or the process ends. Throws a `RouteFailure`. */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    await this.#find(request.pod).serve(request, signal)
  }

  /** Lets all brokers serve their pods now, even pods whose tokens they have not fetched yet. */
  listen(): void {
    for (const broker of this.all()) broker.listen()
  }

  /** Ends all brokers once they have answered their requests, or after `timeoutMs`. No pod may come after this call. */
  async stop(timeoutMs?: number): Promise<void> {
    clearInterval(this.#idleCheck)
    await Promise.all(this.all().map((broker) => broker.stop(timeoutMs)))
  }

  #find({ namespace }: RoutedPod): NamespaceBroker {
    const found = this.#brokers.get(namespace)
    if (found !== undefined) return found
    if (this.#brokers.size >= this.#parts.maxBrokers) {
      throw new RouteFailure(
        'too_many_brokers',
        `the pods of ${this.#brokers.size} namespaces are served on this node, which is the limit. Fix: raise nodeAgent.maxBrokers`,
      )
    }
    const broker = this.#spare ?? new NamespaceBroker(this.#parts)
    this.#spare = undefined
    this.#brokers.set(namespace, broker)
    broker.name = `of the namespace ${namespace}`
    return broker
  }

  /** Ends brokers that have had no pod for a while. */
  #endIdle(): void {
    for (const [namespace, broker] of this.#brokers) {
      if (broker.idleMs <= IDLE_MS) continue
      this.#brokers.delete(namespace)
      void broker.stop()
    }
  }
}
