/** How long a caller waits for a token (WIMDS_EXCHANGE_TIMEOUT, 8 s by default), and how many callers may wait at once. */
import { untilAborted, withDeadline } from '../../lib/deadline.ts'
import { BrokerError } from '../../lib/errors.ts'

/** Creates the error of a caller whose time ran out before Entra ID answered. */
export function createTimeoutError(timeoutMs: number): BrokerError {
  return new BrokerError(
    'entra_timeout',
    `Entra ID issued no token within ${timeoutMs / 1000} s`,
    'check the network, the firewall and the proxy between the pod and the login host, and the CPU limit of the sidecar or the node agent',
  )
}

/** Share of the connections whose callers may wait for Entra ID. The others are for callers whose token is cached. */
const WAITING_SHARE = 3 / 4

/** Returns how many of a pod's connections may have a caller that waits for Entra ID. */
export function countWaiting(maxConnections: number): number {
  return Math.max(1, Math.floor(maxConnections * WAITING_SHARE))
}

/** Counts the callers that wait for exchanges, and limits their number. */
export class WaitingCallers {
  readonly #max: number
  readonly #timeoutMs: number
  #count = 0

  constructor(max: number, timeoutMs: number) {
    this.#max = max
    this.#timeoutMs = timeoutMs
  }

  get isFull(): boolean {
    return this.#count >= this.#max
  }

  /**
   * Settles like `work`, or rejects with the reason of the created signal when the caller hangs up. Until then the caller
   * counts as waiting. The signal that `work` gets aborts when the caller hangs up, and with a `TimeoutError` when the caller's
   * time ends.
   */
  async wait<T>(
    work: (signal: AbortSignal) => Promise<T>,
    createSignal = () => new AbortController().signal,
  ): Promise<T> {
    this.#count += 1
    const hangUp = createSignal()
    return withDeadline(this.#timeoutMs, (limit) =>
      untilAborted(work(AbortSignal.any([limit, hangUp])), hangUp),
    ).finally(() => (this.#count -= 1))
  }
}
