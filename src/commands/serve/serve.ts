/** `wimds serve`: the sidecar, from its configuration to its last reply. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatUrlHost } from '../../lib/hosts.ts'
import { type Config, loadConfig } from '../../config/config.ts'
import type { Address } from '../../config/parsers.ts'
import type { Dialect } from '../../dialects/dialect.ts'
import { imds } from '../../dialects/imds.ts'
import { BrokerError, UsageError } from '../../errors.ts'
import { createAdminApp } from '../../server/admin.ts'
import { createGuard } from '../../server/guard.ts'
import { createMetadataApp } from '../../server/app.ts'
import { createMetadataDocuments, renderDocumentError } from '../../metadata/documents.ts'
import { createPassThrough } from '../../metadata/pass-through.ts'
import { errorFields } from '../../telemetry/log-events.ts'
import { createLogger, type ProcessLog } from '../../telemetry/logger.ts'
import { describeSettings } from '../../telemetry/settings-view.ts'
import { systemClock } from '../../tokens/clock.ts'
import { VERSION } from '../../version.ts'
import { broker } from './broker.ts'
import { printError } from '../../lib/print-error.ts'
import { createDialects } from './dialects.ts'
import { type CommandIo, untilShutdown } from '../io.ts'
import { createLogOutput } from '../log-output.ts'
import { openPorts, type Ports, type Service } from './listeners.ts'
import { followIdentities } from './reload.ts'

const USAGE = `usage: wimds serve

The sidecar. It takes no flags: docs/configuration.md has the variables that it reads.
`

/** Probes and Prometheus are few. */
const ADMIN_CONNECTIONS = 64

/** The first look at the projected tokens takes milliseconds. */
const FIRST_LOOK_MS = 1000

/** Serves until the signal, then drains. Throws `ConfigError` before anything is bound. */
export async function serve(args: readonly string[], io: CommandIo): Promise<number> {
  if (args.includes('--help')) {
    io.stdout.write(USAGE)
    return 0
  }
  if (args.length > 0) throw new UsageError(args.map(superfluous))
  const config = await loadConfig(io.env)
  const log = openLog(config, io)
  for (const warning of config.warnings) log.warn('config_warning', { message: warning })

  const { telemetry, watch, prefetch, close, ...parts } = broker(config, log)
  const isReady = () => telemetry.readiness().ready
  const settings = describeSettings(io.env)
  const admin = createAdminApp({
    readiness: telemetry.readiness,
    scrape: telemetry.scrape,
    document: () => telemetry.document(settings),
    log,
  })
  const { maxConnections } = config
  /** One of the ports that speak to applications. */
  const metadata = (name: string, addresses: readonly Address[], dialects: readonly Dialect[]) => ({
    name,
    listen: addresses,
    maxConnections,
    app: createMetadataApp({
      guard: createGuard({
        allowedHosts: [...config.allowedHosts, ...addresses.map(({ host }) => formatUrlHost(host))],
      }),
      dialects,
      documents: createMetadataDocuments({
        instance: config.instance,
        tenantId: config.tenantId,
      }),
      renderDocumentError,
      resolve: parts.resolve,
      tokens: parts.tokens,
      clock: systemClock,
      isReady,
      passThrough: createPassThrough({ prefixes: config.passThrough }),
      onReply: telemetry.onReply,
    }),
  })
  const services: Service[] = [
    metadata('addresses', config.listen, createDialects(config)),
    {
      name: 'adminAddresses',
      app: admin,
      listen: config.adminListen,
      maxConnections: ADMIN_CONNECTIONS,
    },
  ]
  const malformed = new BrokerError('request_malformed', 'The request is malformed')
  let ports: Ports
  try {
    ports = await openPorts(services, imds.renderError(malformed).body)
  } catch (error) {
    const failure = listenFailure(error)
    log.error('listen_failed', errorFields(failure))
    // Who wants no log still wants to know why nothing runs.
    if (log.level() === 'silent') printError(io, 'wimds serve', failure.message)
    return 1
  }
  log.info('listening', { version: VERSION, ...ports.addresses })

  // Files that do not answer hold up neither the end nor what can do without them.
  await Promise.race([watch(), sleep(FIRST_LOOK_MS, undefined, { ref: false })])
  void prefetch()
  const stopFollowing = followIdentities({ config, env: io.env, log, ...parts })

  await untilShutdown(io)
  log.info('draining', { drainMs: config.shutdown.drainMs })
  await sleep(config.shutdown.drainMs)
  await ports.close(config.shutdown.timeoutMs)
  stopFollowing()
  close()
  log.info('shutdown_complete')
  return 0
}

const superfluous = (argument: string) =>
  `${argument} is not an argument of this command, which takes its environment alone`

function openLog({ log }: Config, io: CommandIo): ProcessLog {
  const isTerminal = 'isTTY' in io.stdout && io.stdout.isTTY === true
  const format = log.format === 'auto' ? (isTerminal ? 'text' : 'json') : log.format
  return createLogger({ level: log.level, format, out: createLogOutput(io) })
}

function listenFailure(error: unknown): BrokerError {
  const reason = error instanceof Error ? error.message : 'unknown reason'
  return new BrokerError('internal', `cannot listen: ${reason}`)
}
