/** `wimds node-broker`: answers the pods of a node whose sockets the node agent sends. */
import { once } from 'node:events'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { loadProcessConfig, type ProcessConfig } from '../../broker/config/config.ts'
import { type Address, address } from '../../broker/config/parsers.ts'
import { createExchangeStack } from '../../broker/exchange-stack.ts'
import { type AdminParts, listenForAdmin } from '../../broker/server/admin.ts'
import { createMetadataPort, type ListenForPod } from '../../broker/server/app.ts'
import type { Listener, SocketHandle } from '../../broker/server/listen.ts'
import { openPorts } from '../../broker/server/open-ports.ts'
import { errorFields } from '../../broker/telemetry/describe.ts'
import { createLogger, type ProcessLog } from '../../broker/telemetry/logger.ts'
import { createExchangeLimit } from '../../broker/tokens/exchange-limit.ts'
import { type CommandDeclaration, parseFlags, parseSettingFlag } from '../../lib/args.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { UsageError } from '../../lib/errors.ts'
import { createLogOutput } from '../../lib/log-output.ts'
import { VERSION } from '../../lib/version.ts'
import { createBrokerMetrics, WorkloadMetrics } from './broker-metrics.ts'
import { AgentMessage, type BrokerMessage } from './messages.ts'
import { createFairTurns, limitRate, type Rate } from './fair-turns.ts'
import { createNodeRoutes } from './node-routes.ts'
import { countPods } from './node-status.ts'
import { countNamespaceExchanges, readPodLimits, selectNodeSettings } from './pod-config.ts'
import { RemoteFiles } from './remote-files.ts'
import type { Workload } from './workload.ts'
import { Workloads } from './workloads.ts'

/** Less than the agent waits for the end of the broker. */
const MAX_CLOSE_MS = 10_000
/** A socket to which no connection comes for so long has none that waits. */
const QUIET_MS = 5
const MAX_ACCEPT_MS = 1000

/** Of the exchanges of a namespace: one that fails takes 3 ms of the event loop. */
const EXCHANGE_RATE: Rate = { burst: 40, intervalMs: 25 }

const DEFAULT_ADMIN_LISTEN: Address = { host: '127.0.0.1', port: 9442 }

export const NODE_BROKER = {
  name: 'node-broker',
  group: 'Run in a cluster',
  summary: 'answer the pods of mode node on this node (started by node-agent)',
  description:
    'Answers the token requests of the pods of mode node on its node, by exchanges of their projected tokens for access tokens. The node agent starts it as a process without rights, and sends it the socket of each pod and the projected tokens. Once it serves a pod, the gate ends, an init container before the application. The variables of serve that do not belong to a pod apply to all of them, such as HTTPS_PROXY, WIMDS_CA_FILE and WIMDS_MAX_EXCHANGES.',
  flags: {
    'admin-listen': {
      value: 'HOST:PORT',
      help: 'address for /healthz, /readyz, /metrics and /status (default 127.0.0.1:9442)',
    },
  },
  exitCodes: { 0: 'shut down, or the node agent has ended', 1: 'the address cannot be bound' },
} as const satisfies CommandDeclaration

/** Serves until the signal or the end of the node agent. Throws `UsageError` and `ConfigError`. */
export async function nodeBroker(args: readonly string[], io: CommandIo): Promise<number> {
  const adminListen = parseOptions(args)
  const agentEnded = once(process, 'disconnect')
  const env = selectNodeSettings(io.env)
  const config = await loadProcessConfig(env)
  const limits = readPodLimits(io.env)
  const log = createNodeLog(config, io)
  const files = new RemoteFiles(send)
  const exchanges = createExchangeStack(config)
  const ofNamespace = countNamespaceExchanges(config.exchange.maxConcurrent)
  const parts = {
    env,
    limits,
    files,
    exchanges,
    createNamespaceLimit: () =>
      limitRate(
        createExchangeLimit({ ...config.exchange, maxConcurrent: ofNamespace }),
        EXCHANGE_RATE,
      ),
    listen: createPodPort(),
    log,
    send,
  }
  const metrics = new WorkloadMetrics()
  const workloads = new Workloads(parts, (ended) => {
    void metrics.onEnd(toSource(ended), workloads.all().map(toSource))
  })
  const adminParts = createAdminParts(workloads, metrics, log, io.env['NODE_NAME'] ?? 'node')
  const admin = await openPorts(listenForAdmin(adminParts, [adminListen]), {
    io,
    log,
    program: 'wimds node-broker',
    setBy: '--admin-listen',
  })
  if (admin === undefined) return 1
  log.info('listening', { version: VERSION, ...admin.addresses[0] })
  process.on('message', (message: unknown, socket: unknown) => {
    try {
      onMessage(AgentMessage.parse(message), socket, workloads, files)
    } catch (error) {
      log.error('node_broker_error', errorFields(error))
    }
  })
  send({ type: 'ready' })

  // Without an agent nothing is drained: the next broker serves the pods.
  const closeMs = await Promise.race([
    untilShutdown(io).then(() => Math.min(config.shutdown.timeoutMs, MAX_CLOSE_MS)),
    agentEnded.then(() => 0),
  ])
  // WIMDS_DRAIN is for a sidecar, which other containers of its pod outlive.
  log.info('draining')
  await Promise.all([workloads.closeAll(closeMs), admin.close(closeMs)])
  log.info('shutdown_complete')
  // Idle connections to Entra ID would keep the process for a while.
  if (closeMs === 0) process.exit(0)
  return 0
}

/** Creates what listens for pods, and at shutdown accepts the connections that wait before it closes a socket. */
function createPodPort(): ListenForPod {
  const listenForPod = createMetadataPort(createFairTurns())
  return async (pod, sockets) => {
    const listener = await listenForPod(pod, sockets)
    return {
      ...listener,
      close: async (timeoutMs) => {
        if (timeoutMs > 0) await acceptWaiting(listener)
        await listener.close(timeoutMs)
      },
    }
  }
}

/** Waits until no connection comes: Node accepts one in each turn, and to close the socket would reset the others. */
async function acceptWaiting({ accepted }: Listener): Promise<void> {
  const deadline = performance.now() + MAX_ACCEPT_MS
  let before: number
  do {
    before = accepted()
    await sleep(QUIET_MS)
    await nextTurn()
  } while (accepted() > before && performance.now() < deadline)
}

/** Returns the address of the admin port. Throws a `UsageError`. */
function parseOptions(args: readonly string[]): Address {
  const flags = parseFlags(args, NODE_BROKER.flags)
  const problems = [...flags.problems]
  const adminListen = parseSettingFlag(flags, 'admin-listen', address, problems)
  if (!process.connected) {
    problems.push(
      'there is no channel to a node agent. Fix: start wimds node-agent, which starts this',
    )
  }
  if (problems.length > 0) throw new UsageError(problems)
  return adminListen ?? DEFAULT_ADMIN_LISTEN
}

function send(message: BrokerMessage): void {
  if (process.connected) process.send?.(message)
}

function createNodeLog({ log: { level, format } }: ProcessConfig, io: CommandIo): ProcessLog {
  const out = createLogOutput(io)
  return createLogger({
    level,
    format: format === 'text' ? 'text' : 'json',
    out,
    limitBy: 'namespace',
  })
}

function createAdminParts(
  workloads: Workloads,
  metrics: WorkloadMetrics,
  log: ProcessLog,
  node: string,
): AdminParts {
  const all = () => workloads.all()
  const state = {
    countPods: () => countPods(workloads),
    sources: () => all().map(toSource),
    droppedLines: log.dropped,
  }
  return {
    readiness: () => ({ ready: true }),
    scrape: createBrokerMetrics(state, metrics).scrape,
    loopbackRoutes: createNodeRoutes({ node, workloads }),
  }
}

function onMessage(
  message: AgentMessage,
  socket: unknown,
  workloads: Workloads,
  files: RemoteFiles,
): void {
  if (message.type === 'ping') send({ type: 'pong' })
  else if (message.type === 'file') files.onAnswer(message)
  else if (message.type === 'waiting') workloads.addWaiting(message)
  else if (message.type === 'close') void workloads.close(message.uid, 0)
  else if (isSocket(socket)) workloads.serve(message.pod, socket)
  else throw new Error(`the message serve for the pod ${message.pod.uid} came without its socket`)
}

function isSocket(value: unknown): value is SocketHandle {
  return typeof value === 'object' && value !== null && 'fd' in value
}

function toSource({ namespace, serviceAccount, broker }: Workload) {
  return { namespace, serviceAccount, registry: broker?.telemetry.registry }
}
