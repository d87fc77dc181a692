/** `wimds node-agent`: serves the pods of mode `node` on this node until shutdown. */
import { stat } from 'node:fs/promises'
import { connectToApiServer } from '../../kubernetes/api-client.ts'
import { createNodeAgentMetrics, registerNodeState } from './agent-metrics.ts'
import { createSettingsReader } from './find-identity.ts'
import { createPodEvents } from './pod-events.ts'
import { PodFiles } from './pod-files.ts'
import { POD_TOO_LARGE } from './pod-size.ts'
import { watchPods } from './pod-watch.ts'
import { findReadinessProblem } from './readiness.ts'
import { Reconciler } from './reconciler.ts'
import { createPodRouter, RouteFailure } from './route-pod.ts'
import type { PodName } from './routed-pod.ts'
import { SavedPods } from './saved-pods.ts'
import { createSandboxReader, watchSandboxes } from './sandboxes.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { type AdminParts, listenForAdmin } from '../../service/admin.ts'
import { createLogger, createLogOutput } from '../../service/logger.ts'
import { VERSION } from '../../lib/version.ts'
import { type CommandIo } from '../../lib/command.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import { openPorts } from '../../service/listen.ts'
import { checkUninstall } from './uninstall-check.ts'
import { type NodeAgentOptions, parseNodeAgentOptions } from './agent-options.ts'
import { createNodeScrape } from './broker-metrics.ts'
import { createConnections } from './connections.ts'
import { limitBrokers, startBroker } from './start-broker.ts'
import { Brokers } from './brokers.ts'
import { endAgent } from './end-agent.ts'
import { createNodeRoutes } from './node-routes.ts'
import { Succession } from './succession.ts'

export { NODE_AGENT } from './agent-options.ts'

const CLOSE_TIMEOUT_MS = 1000
/** How many short child processes, such as nft, run at the same time. */
const MAX_CONCURRENT_TOOLS = 4

/** Serves until the signal aborts. Throws `UsageError` and `ConfigError`. */
export async function nodeAgent(args: readonly string[], io: CommandIo): Promise<number> {
  const options = parseNodeAgentOptions(args, io.env)
  if (options.isUninstallCheck) return await checkUninstall(io)
  const { nodeName, adminListen } = options
  const agent = createAgent(options, io)
  const { api, log, onError, reconciler, metrics, brokers, succession } = agent

  let isListed = false
  let isReady = false
  const adminParts: AdminParts = {
    scrape: agent.scrape,
    readiness: () => {
      const reason = findReadinessProblem(isListed, agent)
      // From now on the agent does not depend on its predecessor, so it stays ready.
      isReady ||= reason === undefined
      return { ready: isReady, reasons: isReady || reason === undefined ? [] : [reason] }
    },
    loopbackRoutes: createNodeRoutes(nodeName, { reconciler, brokers }),
  }
  const admin = await openPorts(listenForAdmin(adminParts, [adminListen]), {
    io,
    log,
    program: 'wimds node-agent',
    setBy: '--admin-listen, in the chart by nodeAgent.adminListen',
  })
  if (admin === undefined) return 1
  log.info('listening', { version: VERSION, ...admin.addresses[0], node: nodeName })
  // Starts libuv's thread pool now: if Node creates these threads at the process limit, it aborts.
  await stat('/proc')
  await limitBrokers(agent.tools).catch(onError)
  reportErrors(() => brokers.start(), onError)
  await succession.start()
  if (succession.isWaiting) log.info('predecessor_found')
  agent.restore()
  await watchPods({
    api,
    nodeName,
    signal: io.signal,
    onPod: reconciler.onPod,
    onDeleted: reconciler.onDeleted,
    onTooLarge: (pod) => agent.onFailure(pod, new RouteFailure('settings_invalid', POD_TOO_LARGE)),
    onListed: (uids) => {
      isListed = true
      metrics.onSync(true)
      reconciler.onListed(uids)
    },
    onError: (error) => {
      metrics.onSync(false)
      onError(error)
    },
  })
  await endAgent(agent)
  agent.files.close()
  await admin.close(CLOSE_TIMEOUT_MS)
  log.info('shutdown_complete')
  return 0
}

/** Creates the parts that route and serve pods. Each part uses the parts before it. */
function createAgent(options: NodeAgentOptions, io: CommandIo) {
  const { signal } = io
  const tools = { path: io.env['PATH'], signal }
  const limitTools = createSemaphore({ maxConcurrent: MAX_CONCURRENT_TOOLS })
  const { kubeletPodsDirectory, defaultTenantId, stateDirectory, maxBrokers, nodeName } = options
  const api = connectToApiServer(signal)
  const out = createLogOutput(io)
  const log = createLogger({ level: 'info', out, limitBy: 'namespace' })
  const onError = (error: unknown) => log.warn('node_agent_error', { message: errorMessage(error) })
  const writeEvent = createPodEvents({ api, nodeName, onError })
  const readSandboxes = createSandboxReader(options)
  const files = new PodFiles(kubeletPodsDirectory)
  const saved = new SavedPods(stateDirectory)
  const metrics = createNodeAgentMetrics(log.dropped)
  const brokers = new Brokers({
    maxBrokers,
    start: () => startBroker(options, io.env),
    readFile: (pod, file) => files.read(pod, file),
    createOpen: createConnections(io.env),
    write: (line) => out.write(line),
    onDroppedLine: () => {
      const count = log.dropped.get('broker_output') ?? 0
      log.dropped.set('broker_output', count + 1)
    },
    onEnd: (message) => {
      metrics.onBrokerEnd()
      log.warn('broker_ended', { message })
    },
  })
  const succession = new Succession({ stateDirectory, brokers, onError })
  const routePod = createPodRouter({
    findSettings: createSettingsReader({ api, saved, defaultTenantId }),
    listens: () => !succession.hasPredecessor,
    readSandboxes,
    kubeletPodsDirectory,
    tools,
    limitTools,
  })
  const onFailure = (pod: PodName, error: unknown) => {
    const reason = error instanceof RouteFailure ? error.reason : 'tool_failed'
    const message = errorMessage(error)
    metrics.onFailure(reason)
    log.warn('pod_not_routed', { ...formatSubject(pod), reason, message })
    void writeEvent(pod, message)
  }
  const reconciler = new Reconciler({
    route: routePod,
    serve: (request, until) => brokers.serve(request, until),
    keysOf: (uid) => succession.keysOf(uid),
    onRoute: (pod, { env }) => reportErrors(() => saved.write({ ...pod, env }), onError),
    onServing: (pod, pendingMs) => {
      metrics.onRouted(pendingMs)
      const durationMs = Math.round(pendingMs)
      log.info('pod_routed', { ...formatSubject(pod), port: pod.port, durationMs })
    },
    onEnd: ({ uid }) => reportErrors(() => saved.remove(uid), onError),
    onFailure,
  })
  registerNodeState(metrics.registry, reconciler)
  const onChange = () =>
    // Takes a new snapshot of the sandboxes, which the attempts of the pods then use.
    reportErrors(() => reconciler.look(readSandboxes), onError)
  reportErrors(() => watchSandboxes(options, { onChange, signal }), onError)
  return {
    api,
    log,
    onError,
    onFailure,
    reconciler,
    brokers,
    files,
    metrics,
    succession,
    tools,
    limitTools,
    scrape: createNodeScrape(metrics.registry, brokers),
    /** Adds the pods that an earlier agent has served. */
    restore: () => {
      for (const pod of saved.read()) reconciler.add(pod)
    },
  }
}

/** Runs the function. Reports its error instead of throwing it: pods are served in any case. */
function reportErrors(run: () => void, onError: (error: unknown) => void): void {
  try {
    run()
  } catch (error) {
    onError(error)
  }
}

const formatSubject = ({ namespace, name }: PodName) => ({ namespace, pod: name })
