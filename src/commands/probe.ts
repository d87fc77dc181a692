/** `wimds probe`: exits 0 when the sidecar on this machine is ready; for exec probes and scripts. */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../errors.ts'
import { complain } from '../lib/print-error.ts'
import { waitForPort } from '../lib/wait-for-port.ts'
import { mistakesOfFlagsAlone, parseFlags } from '../lib/args.ts'
import type { CommandIo } from './io.ts'

const USAGE = `usage: wimds probe [--port PORT] [--timeout SECONDS] [--listening]

Asks http://127.0.0.1:PORT/readyz (8000) until it says that wimds is ready, for SECONDS (10).
A refused connection is asked again too: the sidecar may just be starting.

  --listening  wait until PORT accepts connections, whether or not wimds is ready
`

const TRY_TIMEOUT_MS = 5000
const PAUSE_MS = 250

/** Exit code 0 when ready, 1 when it was not in time, 64 for bad usage. */
export async function probe(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, {
    port: 'value',
    timeout: 'value',
    listening: 'switch',
    help: 'switch',
  })
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const port = Number(flags.value('port') ?? 8000)
  const timeoutMs = Number(flags.value('timeout') ?? 10) * 1000
  const mistakes = [
    ...mistakesOfFlagsAlone(flags),
    ...(Number.isInteger(port) && port > 0 && port < 65_536 ? [] : ['--port is not a port']),
    ...(timeoutMs >= 0 ? [] : ['--timeout is not a number of seconds']),
  ]
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const wait = flags.has('listening') ? waitForPort : isReadyWithin
  return (await wait(port, timeoutMs, io.signal)) ? 0 : fail(io, port, flags.has('listening'))
}

async function isReadyWithin(port: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const leftMs = Math.max(deadline - performance.now(), PAUSE_MS)
    if (await isReady(port, Math.min(leftMs, TRY_TIMEOUT_MS))) return true
    if (performance.now() + PAUSE_MS > deadline) return false
    await sleep(PAUSE_MS)
  }
}

/** The time is that of the whole try, whatever comes in between. */
function isReady(port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
    const request = get(
      { host: '127.0.0.1', port, path: '/readyz', agent: false, signal },
      (response) => {
        resolve(response.statusCode === 200)
        // The body says why not, to others; one without an end would keep the process.
        response.destroy()
      },
    )
    request.on('error', () => resolve(false))
  })
}

function fail(io: CommandIo, port: number, isListening: boolean): number {
  const problem = isListening
    ? `nothing accepts connections on 127.0.0.1:${port}`
    : `nothing on port ${port} says that it is ready`
  complain(io, 'wimds probe', `${problem}. Fix: read the log of the sidecar`)
  return 1
}
