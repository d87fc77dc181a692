/** `wimds node-broker`: answers the pods whose sockets the node agent sends. */
import { once } from 'node:events'
import { loadProcessConfig } from '../../broker/config/config.ts'
import { createExchangeStack } from '../../broker/exchange-stack.ts'
import { createMetadataPort } from '../../broker/server/app.ts'
import type { SocketHandle } from '../../service/listen.ts'
import { errorFields } from '../../service/describe-failure.ts'
import { createLogger, createLogOutput } from '../../service/logger.ts'
import { type CommandDeclaration, parseFlags } from '../../lib/args.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { UsageError } from '../../lib/errors.ts'
import { VERSION } from '../../lib/version.ts'
import { createAnswer } from './answers.ts'
import { AgentChannel, type Message } from './agent-channel.ts'
import { readPodLimits, selectNodeSettings } from './pod-config.ts'
import { Workloads } from './workloads.ts'

/** How long the last responses may take: less than the agent waits for the end of the broker. */
const MAX_CLOSE_MS = 10_000

export const NODE_BROKER = {
  name: 'node-broker',
  group: 'Run in a cluster',
  summary: 'answer the pods of mode node of a namespace (started by node-agent)',
  description:
    "Answers the token requests of a namespace's pods (mode node) on its node by exchanging their projected tokens for access tokens. The node agent starts it as a process without rights, and sends it the socket of each pod and the projected tokens. Once it serves a pod, that pod's gate, an init container, ends. Variables of serve that are not per pod, such as HTTPS_PROXY and WIMDS_CA_FILE, apply to all pods.",
  flags: {},
  exitCodes: { 0: 'shut down, or the node agent has ended' },
} as const satisfies CommandDeclaration

/** Serves until the signal aborts or the node agent ends. Throws `UsageError` and `ConfigError`. */
export async function nodeBroker(args: readonly string[], io: CommandIo): Promise<number> {
  requireAgent(args)
  const agentEnded = once(process, 'disconnect')
  const channel = new AgentChannel()
  const started = await start(io, channel).catch(async (error: unknown) => {
    await channel.send({ type: 'invalid', problem: errorMessage(error) })
    // An open channel would keep the process alive.
    channel.close()
    throw error
  })
  const { workloads, log } = started
  log.info('listening', { version: VERSION })
  channel.read(
    (message) => onMessage(message, channel, started),
    (error) => log.error('node_broker_error', errorFields(error)),
  )
  void channel.send({ type: 'ready' })

  // Without an agent the broker ends at once: the next broker serves the pods.
  const closeMs = await Promise.race([
    untilShutdown(io).then(() => MAX_CLOSE_MS),
    agentEnded.then(() => 0),
  ])
  log.info('draining')
  await workloads.closeAll(closeMs)
  log.info('shutdown_complete')
  channel.close()
  // Idle connections to Entra ID would keep the process for a while.
  if (closeMs === 0) process.exit(0)
  return 0
}

type Started = Awaited<ReturnType<typeof start>>

/** Reads the settings of the node. Throws a `ConfigError`. */
async function start(io: CommandIo, channel: AgentChannel) {
  const env = selectNodeSettings(io.env)
  const config = await loadProcessConfig(env)
  const { level } = config.log
  const log = createLogger({ level, out: createLogOutput(io), limitBy: 'namespace' })
  const listensNow = new AbortController()
  const workloads = new Workloads({
    env,
    limits: readPodLimits(io.env),
    readFile: (uid, path) => channel.readFile(uid, path),
    createSource: createExchangeStack(config, channel.connect),
    listen: createMetadataPort(),
    log,
    send: (message) => void channel.send(message),
    listensNow: listensNow.signal,
  })
  return { log, listensNow, workloads }
}

/** Throws a `UsageError` for arguments, and without a channel to the agent. */
function requireAgent(args: readonly string[]): void {
  const problems = [...parseFlags(args, NODE_BROKER).problems]
  if (!process.connected) {
    problems.push(
      'there is no channel to a node agent. Fix: start wimds node-agent, which starts this',
    )
  }
  if (problems.length > 0) throw new UsageError(problems)
}

function onMessage(
  message: Message,
  channel: AgentChannel,
  { workloads, listensNow }: Started,
): void {
  if (message.type === 'listen') listensNow.abort()
  else if (message.type === 'close') void workloads.close(message.uid, 0)
  else if (message.type === 'ask') {
    void createAnswer(message.question, workloads).then((answer) =>
      channel.send({ type: 'answer', id: message.id, answer }),
    )
  } else {
    const { pod, keys } = message
    const socket = channel.takeSocket(message.socket)
    if (!isSocket(socket)) throw new Error(`the pod ${pod.uid} came without its socket`)
    workloads.serve(pod, socket, keys)
  }
}

function isSocket(value: unknown): value is SocketHandle {
  return typeof value === 'object' && value !== null && 'fd' in value
}
