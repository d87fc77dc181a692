/** `wimds probe`: exits 0 when the sidecar on this machine is ready; for exec probes and scripts. */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../lib/errors.ts'
import { DEFAULT_PORT } from '../lib/sidecar-interface.ts'
import { printError } from '../lib/print-error.ts'
import { waitForPort } from '../lib/wait-for-port.ts'
import {
  type CommandDeclaration,
  findConflict,
  parseFlags,
  parseNumberOption,
  PORTS,
} from '../lib/args.ts'
import type { CommandIo } from '../lib/command.ts'

export const PROBE = {
  name: 'probe',
  group: 'Run in a cluster',
  summary: 'exit 0 when the sidecar on this machine is ready',
  description:
    'Polls http://127.0.0.1:PORT/readyz until it returns 200. A refused connection is retried too: the sidecar may just be starting.',
  flags: {
    port: { value: 'PORT', help: `the sidecar's port (default ${DEFAULT_PORT})` },
    timeout: { value: 'SECONDS', help: 'how long to poll (default 10)' },
    listening: {
      help: 'wait until PORT accepts connections, whether or not wimds is ready',
    },
    live: {
      help: 'poll /healthz in place of /readyz: whether the process answers at all; the liveness probe of the node agent',
    },
  },
  examples: ['wimds probe --timeout 60 && ./application'],
  exitCodes: { 0: 'ready', 1: 'not ready before the timeout' },
} as const satisfies CommandDeclaration

/** In seconds, as in native/wimds.c. */
const TIMEOUTS = { min: 0, max: 86_400 }

const ATTEMPT_TIMEOUT_MS = 5000
/** The first pause; each is twice as long as the one before, up to the second. */
const MIN_INTERVAL_MS = 10
const MAX_INTERVAL_MS = 250

/** Returns 0 when the sidecar is ready, 1 after the timeout. Throws `UsageError`. */
export async function probe(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, PROBE.flags)
  const problems = [...flags.problems, ...findConflict(flags, ['listening', 'live'])]
  const port = parseNumberOption(flags.value('port'), '--port', PORTS, problems) ?? DEFAULT_PORT
  const seconds = parseNumberOption(flags.value('timeout'), '--timeout', TIMEOUTS, problems) ?? 10
  if (problems.length > 0) throw new UsageError(problems)
  const timeoutMs = seconds * 1000
  const isListening = (ms: number) => waitForPort(port, ms, io.signal)
  const nothingListens = `nothing accepts connections on 127.0.0.1:${port}. Fix: check that the sidecar was injected here, and read its log`

  let problem: string | undefined
  if (flags.has('listening')) {
    problem = (await isListening(timeoutMs)) ? undefined : nothingListens
  } else {
    const target = flags.has('live') ? LIVENESS : READINESS
    problem = await poll((leftMs) => findAnswerProblem(port, target, leftMs), timeoutMs)
    if (problem !== undefined && !(await isListening(0))) problem = nothingListens
  }
  if (problem === undefined) return 0
  printError(io, 'wimds probe', problem)
  return 1
}

/** Repeats an attempt until it finds no problem. Returns the last problem after the timeout. */
async function poll(
  findProblem: (leftMs: number) => Promise<string | undefined>,
  timeoutMs: number,
): Promise<string | undefined> {
  const deadline = performance.now() + timeoutMs
  for (let interval = MIN_INTERVAL_MS; ; interval = Math.min(2 * interval, MAX_INTERVAL_MS)) {
    const problem = await findProblem(Math.max(deadline - performance.now(), MAX_INTERVAL_MS))
    if (problem === undefined || performance.now() + interval > deadline) return problem
    await sleep(interval)
  }
}

const READINESS = { path: '/readyz', name: 'sidecar' }
const LIVENESS = { path: '/healthz', name: 'process' }

/** Returns undefined if the path answers 200. */
function findAnswerProblem(
  port: number,
  { path, name }: typeof READINESS,
  leftMs: number,
): Promise<string | undefined> {
  const signal = AbortSignal.timeout(Math.ceil(Math.min(leftMs, ATTEMPT_TIMEOUT_MS)))
  const problem = `http://127.0.0.1:${port}${path} is not 200. Fix: read the log of the ${name}`
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, signal }, (response) => {
      resolve(response.statusCode === 200 ? undefined : problem)
      // The body is not read: one that never ends would keep the process alive.
      response.destroy()
    })
    request.on('error', () => resolve(problem))
  })
}
