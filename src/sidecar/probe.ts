/** `wimds probe`: exits 0 when the sidecar on this machine is ready; for exec probes and scripts. */
import { UsageError } from '../lib/errors.ts'
import { DEFAULT_PORT } from '../lib/sidecar-interface.ts'
import { printError } from '../lib/describe-error.ts'
import { sendGet } from '../lib/send-get.ts'
import { waitForPort, waitUntil } from '../lib/wait-for-port.ts'
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
      help: 'poll /healthz instead of /readyz, and exit 0 as soon as the process answers; the liveness probe of the node agent',
    },
  },
  examples: ['wimds probe --timeout 60 && ./application'],
  exitCodes: { 0: 'ready', 1: 'not ready before the timeout' },
} as const satisfies CommandDeclaration

/** The allowed seconds, as in native/wimds.c. */
const TIMEOUTS = { min: 0, max: 86_400 }

/** The time limits of a request. */
const MIN_ANSWER_MS = 250
const MAX_ANSWER_MS = 5000

/** Returns 0 when the sidecar is ready, 1 after the timeout. Throws `UsageError`. */
export async function probe(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, PROBE)
  const problems = [...flags.problems, ...findConflict(flags, ['listening', 'live'])]
  const port = parseNumberOption(flags.value('port'), '--port', PORTS, problems) ?? DEFAULT_PORT
  const seconds = parseNumberOption(flags.value('timeout'), '--timeout', TIMEOUTS, problems) ?? 10
  if (problems.length > 0) throw new UsageError(problems)
  const isListening = (ms: number) => waitForPort(port, ms, io.signal)
  const [path, name] = flags.has('live') ? ['/healthz', 'process'] : ['/readyz', 'sidecar']
  const url = `http://127.0.0.1:${port}${path}`
  const hasAnswered = (ms: number) => waitUntil((leftMs) => answers200(url, leftMs), ms, io.signal)
  const isAboutPort = flags.has('listening')
  if (await (isAboutPort ? isListening : hasAnswered)(seconds * 1000)) return 0
  const problem =
    !isAboutPort && (await isListening(0))
      ? `${url} is not 200. Fix: read the log of the ${name}`
      : `nothing accepts connections on 127.0.0.1:${port}. Fix: check that the sidecar was injected here, and read its log`
  printError(io, 'wimds probe', problem)
  return 1
}

function answers200(url: string, leftMs: number): Promise<boolean> {
  const timeoutMs = Math.min(Math.max(leftMs, MIN_ANSWER_MS), MAX_ANSWER_MS)
  return sendGet(url, { timeoutMs }).then(
    ({ status }) => status === 200,
    () => false,
  )
}
