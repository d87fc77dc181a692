/** `wimds node-agent`: routes the pods of mode `node` on this node until shutdown. */
import { stat } from 'node:fs/promises'
import { connectToApiServer } from '../api-client.ts'
import { createNodeAgentMetrics } from './agent-metrics.ts'
import { createPodEvents } from './pod-events.ts'
import { watchPods } from './pod-watch.ts'
import { Reconciler } from './reconciler.ts'
import { createPodRouter, RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'
import { createSandboxReader } from './sandboxes.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { type AdminParts, listenForAdmin } from '../../sidecar/server/admin.ts'
import { createLogger } from '../../sidecar/telemetry/logger.ts'
import { VERSION } from '../../lib/version.ts'
import { type CommandIo } from '../../lib/command.ts'
import { createLogOutput } from '../../lib/log-output.ts'
import { openPorts } from '../../sidecar/server/open-ports.ts'
import { parseNodeAgentOptions } from './agent-options.ts'

export { NODE_AGENT } from './agent-options.ts'

const PROC = '/proc'
const CLOSE_TIMEOUT_MS = 1000

/**
 * Serves until the signal. What is routed stays so: the rules belong to the pods. Throws `UsageError` and
 * `ConfigError`.
 */
export async function nodeAgent(args: readonly string[], io: CommandIo): Promise<number> {
  const { nodeName, adminListen, ...directories } = parseNodeAgentOptions(args, io.env)
  const { signal } = io
  const api = connectToApiServer(signal)
  const out = createLogOutput(io)
  const log = createLogger({ level: 'info', format: 'json', out, limitBy: 'namespace' })
  const onError = (error: unknown) => log.warn('node_agent_error', { message: errorMessage(error) })
  const writeEvent = createPodEvents({ api, nodeName, onError })

  let isListed = false
  const tools = { path: io.env['PATH'], signal }
  const readSandboxes = createSandboxReader({ ...directories, procDirectory: PROC })
  const reconciler = new Reconciler({
    route: createPodRouter({ readSandboxes, procDirectory: PROC, tools }),
    onRouted: (pod, durationMs) => {
      metrics.onRouted(durationMs)
      log.info('pod_routed', {
        ...formatSubject(pod),
        port: pod.port,
        durationMs: Math.round(durationMs),
      })
    },
    onFailure: (pod, error) => {
      const reason = error instanceof RouteFailure ? error.reason : 'tool_failed'
      const message = errorMessage(error)
      metrics.onFailure(reason)
      log.warn('pod_not_routed', { ...formatSubject(pod), reason, message })
      void writeEvent(pod, message)
    },
  })
  const metrics = createNodeAgentMetrics(reconciler)
  const adminParts: AdminParts = {
    scrape: metrics.scrape,
    readiness: () => ({
      ready: isListed,
      reasons: isListed ? [] : ['the pods of the node have not been listed yet'],
    }),
  }
  const admin = await openPorts(listenForAdmin(adminParts, [adminListen]), {
    io,
    log,
    program: 'wimds node-agent',
    setBy: '--admin-listen, in the chart by nodeAgent.adminListen',
  })
  if (admin === undefined) return 1
  log.info('listening', {
    version: VERSION,
    ...admin.addresses[0],
    node: nodeName,
    discovery: directories.discovery,
  })
  // Starts libuv's thread pool now: creating threads later, at the process limit, aborts Node.
  await stat(PROC)
  await watchPods({
    api,
    nodeName,
    signal,
    onPod: reconciler.onPod,
    onDeleted: reconciler.onDeleted,
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
  reconciler.close()
  await admin.close(CLOSE_TIMEOUT_MS)
  log.info('shutdown_complete')
  return 0
}

const formatSubject = ({ namespace, name }: RoutedPod) => ({ namespace, pod: name })
