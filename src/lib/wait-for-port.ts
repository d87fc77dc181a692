/** Waits for the sidecar: for its TCP port, or for what it answers. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How long start hooks and init containers wait for the sidecar, in seconds. With a CPU limit of 10m a start takes 15 to
 * 60 s, and of thirty pods that start at once on a busy node the last one took 72 s.
 * native/wimds.c has the same for the start hook of the azure-workload-identity webhook.
 */
export const START_WAIT_SECONDS = 300

const ATTEMPT_TIMEOUT_MS = 1000
/** An attempt costs a millisecond of CPU: thirty pods that start at once must not spend half a core on them. */
const MIN_INTERVAL_MS = 50
const MAX_INTERVAL_MS = 500
/** The interval between attempts, as a share of the time that has passed: a wait ends at most this much too late. */
const INTERVAL_RATIO = 1 / 20

/** Returns true as soon as 127.0.0.1:port accepts a connection; otherwise as `waitUntil` does. */
export function waitForPort(
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return waitUntil(() => acceptsConnection(port), timeoutMs, signal)
}

/**
 * Returns true as soon as `isDone` does, which gets the milliseconds that are left; false if it does not within the time, or
 * once the signal is aborted.
 */
export async function waitUntil(
  isDone: (leftMs: number) => Promise<boolean>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const start = performance.now()
  for (;;) {
    if (await isDone(timeoutMs - (performance.now() - start))) return true
    const elapsedMs = performance.now() - start
    const proportional = Math.max(elapsedMs * INTERVAL_RATIO, MIN_INTERVAL_MS)
    const intervalMs = Math.min(proportional, MAX_INTERVAL_MS)
    if (signal.aborted || elapsedMs + intervalMs > timeoutMs) return false
    await sleep(intervalMs)
  }
}

function acceptsConnection(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: ATTEMPT_TIMEOUT_MS })
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
