/** `wimds serve`, the sidecar: read config → build → listen → drain. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Config, loadConfig } from '../broker/config/config.ts'
import type { Address } from '../service/parsers.ts'
import { createAssertionReader } from '../broker/exchange/assertion.ts'
import { UsageError } from '../lib/errors.ts'
import { formatUrlHost } from '../lib/hosts.ts'
import { type AdminParts, listenForAdmin } from '../service/admin.ts'
import { createStatusRoutes } from '../broker/status-page/routes.ts'
import { createMetadataPort } from '../broker/server/app.ts'
import { type Listener, openPorts } from '../service/listen.ts'
import { createLogger, createLogOutput } from '../service/logger.ts'
import { describeSettings } from '../broker/config/settings.ts'
import { VERSION } from '../lib/version.ts'
import { type CommandIo, untilShutdown } from '../lib/command.ts'
import { type Broker, createBroker } from '../broker/broker.ts'
import { createExchangeStack } from '../broker/exchange-stack.ts'
import { watchIdentities } from '../broker/reload.ts'

/** The first poll of the projected tokens takes milliseconds, but a file system may hang. */
const MAX_FIRST_POLL_MS = 1000
/** How long requests in flight may take after the signal. */
const SHUTDOWN_TIMEOUT_MS = 10_000

/** Serves until the signal, then drains. Throws a `ConfigError` before anything is bound. */
export async function serve(args: readonly string[], io: CommandIo): Promise<number> {
  // lib/args.ts would do this, but the sidecar does not load it.
  if (args.length > 0) {
    const fix = 'serve takes no flags; set variables such as WIMDS_LISTEN'
    throw new UsageError(args.map((arg) => ({ problem: `unexpected argument ${arg}`, fix })))
  }
  const config = await loadConfig(io.env)
  const { level } = config.log
  const log = createLogger({ level, out: createLogOutput(io) })
  for (const warning of config.warnings) log.warn('config_warning', { message: warning })

  const readAssertion = createAssertionReader(config.exchange)
  const createSource = createExchangeStack(config)
  const broker = createBroker({ config, readAssertion, createSource, log })
  const { telemetry } = broker
  const adminParts: AdminParts = {
    readiness: telemetry.readiness,
    scrape: telemetry.scrape,
    loopbackRoutes: createStatusRoutes(() => telemetry.document(describeSettings(io.env))),
  }

  const listeners = await openPorts(openListeners(config, broker, adminParts), {
    io,
    log,
    program: 'wimds serve',
    setBy:
      'WIMDS_LISTEN or WIMDS_ADMIN_LISTEN, in a pod by the annotations wimds.io/port and wimds.io/admin-port',
  })
  if (listeners === undefined) return 1
  const { metadata, admin } = listeners
  log.info('listening', {
    version: VERSION,
    addresses: metadata.addresses.map(formatAddress),
    ...(admin.addresses.length > 0 && { adminAddresses: admin.addresses.map(formatAddress) }),
  })
  await Promise.race([
    broker.watchAssertions(),
    sleep(MAX_FIRST_POLL_MS, undefined, { ref: false }),
  ])
  void broker.prefetch()
  const stopWatching = watchIdentities({
    file: config.identitiesFile,
    env: io.env,
    applyConfig: broker.applyConfig,
    rejectConfig: broker.rejectConfig,
  })

  await untilShutdown(io)
  log.info('draining')
  await Promise.all([metadata.close(SHUTDOWN_TIMEOUT_MS), admin.close(SHUTDOWN_TIMEOUT_MS)])
  stopWatching()
  broker.close()
  log.info('shutdown_complete')
  return 0
}

/** Opens both ports or none. There are no admin addresses if WIMDS_ADMIN_LISTEN is off. */
async function openListeners(
  config: Config,
  { createPod }: Broker,
  adminParts: AdminParts,
): Promise<{ readonly metadata: Listener; readonly admin: Listener }> {
  const pod = createPod(randomUUID())
  const metadata = await createMetadataPort()(pod, config.listen)
  try {
    return { metadata, admin: await listenForAdmin(adminParts, config.adminListen) }
  } catch (thrown) {
    await metadata.close(0)
    throw thrown
  }
}

function formatAddress({ host, port }: Address): string {
  return `${formatUrlHost(host)}:${port}`
}
