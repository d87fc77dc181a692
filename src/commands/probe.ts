/** `wimds probe`: exits 0 when the sidecar on this machine is ready; for exec probes and scripts. */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../errors.ts'
import { printError } from '../lib/print-error.ts'
import { waitForPort } from '../lib/wait-for-port.ts'
import { findFlagProblems, parseFlags } from '../lib/args.ts'
import { PROBE } from './declarations/probe.ts'
import type { CommandIo } from './io.ts'

const ATTEMPT_TIMEOUT_MS = 5000
const INTERVAL_MS = 250

/** Returns 0 when the sidecar is ready, 1 after the timeout. Throws `UsageError`. */
export async function probe(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, PROBE.flags)
  const port = Number(flags.value('port') ?? 8000)
  const timeoutMs = Number(flags.value('timeout') ?? 10) * 1000
  const problems = [
    ...findFlagProblems(flags),
    ...(Number.isInteger(port) && port > 0 && port < 65_536 ? [] : ['--port is not a port']),
    ...(timeoutMs >= 0 ? [] : ['--timeout is not a number of seconds']),
  ]
  if (problems.length > 0) throw new UsageError(problems)
  const wait = flags.has('listening') ? waitForPort : isReadyWithin
  if (await wait(port, timeoutMs, io.signal)) return 0
  const isListening = !flags.has('listening') && (await waitForPort(port, 0, io.signal))
  const problem = isListening
    ? `http://127.0.0.1:${port}/readyz is not 200. Fix: read the log of the sidecar`
    : `nothing accepts connections on 127.0.0.1:${port}. Fix: check that the sidecar was injected here, and read its log`
  printError(io, 'wimds probe', problem)
  return 1
}

async function isReadyWithin(port: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const leftMs = Math.max(deadline - performance.now(), INTERVAL_MS)
    if (await isReady(port, Math.min(leftMs, ATTEMPT_TIMEOUT_MS))) return true
    if (performance.now() + INTERVAL_MS > deadline) return false
    await sleep(INTERVAL_MS)
  }
}

/** Returns true if /readyz answers 200 within `timeoutMs`. */
function isReady(port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
    const request = get(
      { host: '127.0.0.1', port, path: '/readyz', agent: false, signal },
      (response) => {
        resolve(response.statusCode === 200)
        // The body is not read: one that never ends would keep the process alive.
        response.destroy()
      },
    )
    request.on('error', () => resolve(false))
  })
}
