/** `wimds probe`: exits 0 when the sidecar on this machine is ready; for exec probes and scripts. */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../lib/errors.ts'
import { getLocal } from '../lib/http.ts'
import { findInstanceId, findRouteTarget } from '../lib/metadata-route.ts'
import { DEFAULT_PORT } from '../lib/sidecar-interface.ts'
import { printError } from '../lib/print-error.ts'
import { waitForPort } from '../lib/wait-for-port.ts'
import { findConflict, parseFlags, parseNumberOption, PORTS } from '../lib/args.ts'
import type { CommandDeclaration, CommandIo } from '../lib/command.ts'

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
    route: {
      help: 'wait until a connection to 169.254.169.254:80 reaches the sidecar at PORT; the start-up probe of mode node',
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
  const problems = [...flags.problems, ...findConflict(flags, ['listening', 'live', 'route'])]
  const port = parseNumberOption(flags.value('port'), '--port', PORTS, problems) ?? DEFAULT_PORT
  const seconds = parseNumberOption(flags.value('timeout'), '--timeout', TIMEOUTS, problems) ?? 10
  if (problems.length > 0) throw new UsageError(problems)
  const timeoutMs = seconds * 1000
  if (flags.has('route')) {
    const routeProblem = await waitForRoute(port, timeoutMs, io.env['WIMDS_NODE_NAME'])
    if (routeProblem === undefined) return 0
    printError(io, 'wimds probe', routeProblem)
    return 1
  }
  const path = flags.has('live') ? '/healthz' : '/readyz'
  const hasPassed = flags.has('listening')
    ? await waitForPort(port, timeoutMs, io.signal)
    : await answersWithin(port, path, timeoutMs)
  if (hasPassed) return 0
  const isListening = !flags.has('listening') && (await waitForPort(port, 0, io.signal))
  const problem = isListening
    ? `http://127.0.0.1:${port}${path} is not 200. Fix: read the log of the ${flags.has('live') ? 'process' : 'sidecar'}`
    : `nothing accepts connections on 127.0.0.1:${port}. Fix: check that the sidecar was injected here, and read its log`
  printError(io, 'wimds probe', problem)
  return 1
}

async function answersWithin(port: number, path: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (let interval = MIN_INTERVAL_MS; ; interval = Math.min(2 * interval, MAX_INTERVAL_MS)) {
    const leftMs = Math.max(deadline - performance.now(), MAX_INTERVAL_MS)
    if (await answers(port, path, Math.min(leftMs, ATTEMPT_TIMEOUT_MS))) return true
    if (performance.now() + interval > deadline) return false
    await sleep(interval)
  }
}

/** Returns true if the path answers 200 within `timeoutMs`. */
function answers(port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
    const request = get({ host: '127.0.0.1', port, path, agent: false, signal }, (response) => {
      resolve(response.statusCode === 200)
      // The body is not read: one that never ends would keep the process alive.
      response.destroy()
    })
    request.on('error', () => resolve(false))
  })
}

const ROUTE_TIMEOUT_MS = 1000
/** The first pause; each is twice as long as the one before, up to a second. */
const MIN_ROUTE_INTERVAL_MS = 50

/**
 * Polls until a connection to the metadata address reaches the sidecar of this port. Returns undefined, or after the
 * timeout the missing part.
 */
async function waitForRoute(
  port: number,
  timeoutMs: number,
  node = 'this node',
): Promise<string | undefined> {
  const deadline = performance.now() + timeoutMs
  for (let interval = MIN_ROUTE_INTERVAL_MS; ; interval = Math.min(2 * interval, 1000)) {
    const problem = await findRouteProblem(port, node)
    if (problem === undefined || performance.now() + interval > deadline) return problem
    await sleep(interval)
  }
}

async function findRouteProblem(port: number, node: string): Promise<string | undefined> {
  const timeoutMs = ROUTE_TIMEOUT_MS
  const own = await getLocal(`http://127.0.0.1:${port}/readyz`, { timeoutMs }).catch(
    () => undefined,
  )
  const instanceId = findInstanceId(own?.json)
  if (instanceId === undefined) {
    return `no sidecar answers on 127.0.0.1:${port}. Fix: read the log of the sidecar`
  }
  const { leadsTo, detail } = await findRouteTarget({ instanceId, timeoutMs })
  if (leadsTo === 'sidecar') return undefined
  return `169.254.169.254:80 ${detail}: no node agent on ${node} has routed this pod. Fix: kubectl get pods -A -l app.kubernetes.io/component=node-agent --field-selector spec.nodeName=${node}, and read its log`
}
