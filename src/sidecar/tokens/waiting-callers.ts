/** The callers that wait for exchanges: how many may do so at once, and for how long. */
import { BrokerError } from '../../lib/errors.ts'
import { startDeadline, untilAborted } from '../../lib/deadline.ts'

interface WaitingCallers {
  readonly isFull: () => boolean
  /**
   * Settles as the outcome does, or throws `entra_timeout` at the time limit. Until then the caller counts as
   * waiting, unless the signal says that it has hung up.
   */
  readonly wait: <T>(outcome: Promise<T>, signal: AbortSignal | undefined) => Promise<T>
}

const RETRY_AFTER_MS = 1000

export function createWaitingCallers(max: number, timeoutMs: number): WaitingCallers {
  const waiting = new Set<object>()

  return { isFull: () => waiting.size >= max, wait }

  async function wait<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const caller = {}
    const leave = () => waiting.delete(caller)
    if (signal?.aborted !== true) waiting.add(caller)
    signal?.addEventListener('abort', leave)
    const deadline = startDeadline(timeoutMs)
    try {
      return await untilAborted(outcome, deadline.signal)
    } catch (error) {
      if (error === deadline.signal.reason) throw createTimeoutError(timeoutMs)
      throw error
    } finally {
      deadline.clear()
      leave()
      signal?.removeEventListener('abort', leave)
    }
  }
}

function createTimeoutError(timeoutMs: number): BrokerError {
  return new BrokerError(
    'entra_timeout',
    `Entra ID issued no token within ${timeoutMs / 1000} s. Fix: check the network, the firewall and the proxy between the pod and the login host, and the CPU limit of the sidecar`,
    { retryAfterMs: RETRY_AFTER_MS },
  )
}
