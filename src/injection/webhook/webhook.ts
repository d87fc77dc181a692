/** `wimds webhook`: serves the admission webhook until shutdown. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiServer, connectToApiServer } from '../../kubernetes/api-client.ts'
import { createReviews } from './admission.ts'
import { ensureCertificate, rotateCertificate } from './certificate-rotation.ts'
import {
  type CertificateMaterial,
  parseExpiry,
  readClientCa,
  readMountedCertificate,
} from './certificates.ts'
import { createCertificateStore, publishCa } from './certificate-store.ts'
import { createWebhookMetrics } from './webhook-metrics.ts'
import { createReviewServer, serveCertificate } from './server.ts'
import { createServiceAccountLookup } from './service-accounts.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { listFound } from '../../lib/printable.ts'
import { type AdminParts, listenForAdmin } from '../../service/admin.ts'
import { bind, closeServer, openPorts } from '../../service/listen.ts'
import { createLogger, createLogOutput } from '../../service/logger.ts'
import { VERSION } from '../../lib/version.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { findUnknownVariables } from '../injector/injection-settings.ts'
import { parseWebhookOptions, type WebhookOptions } from './webhook-options.ts'

export { WEBHOOK } from './webhook-options.ts'

/** The time for unfinished replies after the webhook has stopped accepting connections. */
const CLOSE_TIMEOUT_MS = 1000
const PORT_SETTINGS =
  '--listen or --admin-listen, in the chart by webhook.port or webhook.adminPort'

/** Serves until the signal, then drains. Throws `UsageError` and `ConfigError`. */
export async function webhook(args: readonly string[], io: CommandIo): Promise<number> {
  const options = parseWebhookOptions(args)
  const { settings, clientCaFile, defaultTenantId, drainMs } = options
  const log = createLogger({ level: 'info', out: createLogOutput(io), limitBy: 'namespace' })
  for (const message of findUnknownVariables(settings.sidecarEnv)) {
    log.warn('config_warning', { message })
  }
  const onError = (error: unknown) => log.warn('webhook_error', { message: errorMessage(error) })
  const calls = new AbortController()
  // These calls may throw a `ConfigError`, so they come before anything is bound.
  const api = connectToApiServer(calls.signal)
  const clientCa = clientCaFile === undefined ? undefined : () => readClientCa(clientCaFile)
  await clientCa?.()

  const draining = new AbortController()
  /** When the served certificate expires, in epoch milliseconds; undefined before there is one. */
  let expiresAt: number | undefined
  const metrics = createWebhookMetrics(() => expiresAt, log.dropped)
  const server = createReviewServer({
    requiresClientCertificate: clientCa !== undefined,
    reviews: createReviews({
      settings,
      lookUpServiceAccount: createServiceAccountLookup(api),
      defaultTenantId,
    }),
    draining: draining.signal,
    onReview: metrics.onReview,
    log,
  })
  const adminParts: AdminParts = {
    scrape: metrics.scrape,
    readiness: () => {
      const reasons = listFound(
        draining.signal.aborted && 'the webhook is shutting down',
        expiresAt === undefined && 'there is no certificate yet',
      )
      return { ready: reasons.length === 0, reasons }
    },
  }
  const ports = { io, log, program: 'wimds webhook', setBy: PORT_SETTINGS }
  const bound = await openPorts(bind(server, options.listen), ports)
  if (bound === undefined) return 1
  const admin = await openPorts(listenForAdmin(adminParts, [options.adminListen]), ports)
  if (admin === undefined) {
    await closeServer(server, 0)
    return 1
  }
  const rotation = rotateCertificate({
    ...createCertificateSource(options, api),
    onError,
    readClientCa: clientCa,
    signal: calls.signal,
    serve: (material, clientCaPem) => {
      serveCertificate(server, material, clientCaPem)
      expiresAt = parseExpiry(material.certPem)
      log.info('certificate_loaded', { expiresAt: new Date(expiresAt).toISOString() })
    },
  })
  log.info('listening', { version: VERSION, ...bound })

  await untilShutdown(io)
  // The webhook is no longer ready, but serves until every API server has noticed.
  draining.abort()
  log.info('draining', { drainMs })
  await sleep(drainMs)
  await closeServer(server, CLOSE_TIMEOUT_MS)
  // Calls are aborted only now. Until here reviews needed them, and the rotation, which may have to publish the CA again.
  calls.abort()
  await rotation
  await admin.close(CLOSE_TIMEOUT_MS)
  log.info('shutdown_complete')
  return 0
}

function createCertificateSource({ certDirectory, service }: WebhookOptions, api: ApiServer) {
  if (certDirectory !== undefined) {
    return { getCertificate: () => readMountedCertificate(certDirectory) }
  }
  const store = createCertificateStore(api, service)
  const name = `${service.name}.${service.namespace}.svc`
  return {
    getCertificate: (served: CertificateMaterial | undefined) =>
      ensureCertificate(store, name, served?.caPem),
    publishCa: (caPem: string) => publishCa(api, service.name, caPem),
  }
}
