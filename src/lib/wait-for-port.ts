/** Waits until the sidecar accepts connections, or until another condition holds. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How long start hooks and init containers wait for the sidecar, in seconds. With a CPU limit of 10m a start takes 15 to 60 s,
 * and of thirty pods that start at once on a busy node the last one took 72 s. native/wimds.c has the same number for the start
 * hook of the azure-workload-identity webhook.
 */
export const START_WAIT_SECONDS = 300

const ATTEMPT_TIMEOUT_MS = 1000
/** An attempt costs a millisecond of CPU: thirty pods that start at once must not spend half a core on attempts. */
const MIN_INTERVAL_MS = 50
const MAX_INTERVAL_MS = 500
/** The interval between attempts as a share of the elapsed time. A wait ends late by this share, or 50 ms, at most. */
const INTERVAL_RATIO = 1 / 20

/** Waits like `waitUntil` until 127.0.0.1:port accepts a connection. */
export function waitForPort(
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return waitUntil(() => acceptsConnection(port), timeoutMs, signal)
}

/**
 * Calls `isDone` with the milliseconds that are left, until it returns true. Returns false if the time expires or the signal
 * aborts before that, else true.
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
