/** `wimds webhook`: serves the admission webhook until shutdown. */
import { setTimeout as sleep } from 'node:timers/promises'
import { NATIVE_SIDECARS_SINCE } from '../injector/settings.ts'
import { reviewPod } from './admission.ts'
import { type CertificateRotation, startCertificateRotation } from './certificate-rotation.ts'
import {
  type CertificateMaterial,
  ensureCertificate,
  parseExpiry,
  readMountedCertificate,
} from './certificates.ts'
import type { Cluster } from './cluster.ts'
import { createWebhookMetrics } from './webhook-metrics.ts'
import {
  createReviewServer,
  type ReviewEvent,
  type ReviewServerParts,
  serveCertificate,
} from './server.ts'
import { createServiceAccountLookup } from './service-accounts.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { type AdminParts, listenForAdmin } from '../../sidecar/server/admin.ts'
import { bind, closeServer, type Listener } from '../../sidecar/server/listen.ts'
import { createLogger, type ProcessLog } from '../../sidecar/telemetry/logger.ts'
import { VERSION } from '../../lib/version.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { findUnknownVariables } from '../injector/injection-flags.ts'
import { createLogOutput } from '../../lib/log-output.ts'
import { openPorts } from '../../sidecar/server/open-ports.ts'
import { loadClientCa } from './client-ca.ts'
import { parseWebhookOptions, type WebhookOptions } from './webhook-options.ts'

export { WEBHOOK } from './webhook-options.ts'

/** For answers that are still being sent, once nothing new is accepted. */
const CLOSE_TIMEOUT_MS = 1000
const PORT_SETTINGS =
  '--listen or --admin-listen, in the chart by webhook.port or webhook.adminPort'
/** Reasons repeat what callers send. */
const MAX_LOGGED_MESSAGE = 500

/** Serves until the signal, then drains. Throws `UsageError` and `ConfigError`. */
export async function webhook(args: readonly string[], io: CommandIo): Promise<number> {
  const options = parseWebhookOptions(args)
  const { connectToCluster } = await import('./cluster.ts')
  const log = createLogger({
    level: 'info',
    format: 'json',
    out: createLogOutput(io),
    limitBy: 'namespace',
  })
  for (const message of findUnknownVariables(options.settings.sidecarEnv)) {
    log.warn('config_warning', { message })
  }
  const onError = (error: unknown) => log.warn('webhook_error', { message: errorMessage(error) })
  const cluster = connectToCluster({ onError })
  const hasServed = await serveReviews(options, cluster, { io, log, onError })
  if (!hasServed) return 1
  log.info('shutdown_complete')
  return 0
}

interface Environment {
  readonly io: CommandIo
  readonly log: ProcessLog
  readonly onError: (error: unknown) => void
}

/**
 * Serves until the shutdown, and closes the cluster and every port, also when it fails. Returns false if a port cannot
 * be opened, which it logs.
 */
async function serveReviews(
  options: WebhookOptions,
  cluster: Cluster,
  { io, log, onError }: Environment,
): Promise<boolean> {
  const { clientCaFile } = options
  // Before anything is bound: it may throw a `ConfigError`.
  const clientCa = clientCaFile === undefined ? undefined : await loadClientCa(clientCaFile, log)
  const ports = { io, log, program: 'wimds webhook', setBy: PORT_SETTINGS }
  let isDraining = false
  let rotation: CertificateRotation | undefined

  const metrics = createWebhookMetrics(() => {
    const served = rotation?.served()
    return served && parseExpiry(served.certPem)
  })
  const adminParts: AdminParts = {
    scrape: metrics.scrape,
    readiness: () => checkReadiness(isDraining, rotation?.served() !== undefined),
  }
  let admin: Listener | undefined
  try {
    admin = await openPorts(listenForAdmin(adminParts, [options.adminListen]), ports)
    if (admin === undefined) return false

    // The API server may be unreachable for a long time.
    const hasNativeSidecars = await Promise.race([
      supportsNativeSidecars(cluster, options),
      untilShutdown(io),
    ])
    if (hasNativeSidecars === undefined) return true
    const server = createReviewServer({
      requiresClientCertificate: clientCa !== undefined,
      reviews: createReviews(options, cluster, hasNativeSidecars),
      isDraining: () => isDraining,
      onError,
      onReview: (event) => {
        metrics.onReview(event)
        logRejection(log, event)
      },
    })
    const bound = await openPorts(bind(server, options.listen), ports)
    if (bound === undefined) return false
    const setCertificate = (material: CertificateMaterial) =>
      serveCertificate(server, material, clientCa?.pem())
    rotation = startCertificateRotation({
      ...createCertificateSource(options, cluster),
      onError,
      serve: (material) => {
        setCertificate(material)
        const expiresAt = new Date(parseExpiry(material.certPem)).toISOString()
        log.info('certificate_loaded', { expiresAt })
      },
    })
    const { served } = rotation
    clientCa?.watch(() => {
      const material = served()
      if (material !== undefined) setCertificate(material)
    })
    log.info('listening', { version: VERSION, ...bound, hasNativeSidecars })

    await untilShutdown(io)
    // Not ready any more, but serving until every API server has noticed.
    isDraining = true
    log.info('draining', { drainMs: options.drainMs })
    await sleep(options.drainMs)
    const stopped = rotation.stop()
    await closeServer(server, CLOSE_TIMEOUT_MS)
    // Not earlier: inflight reviews may need the API server.
    cluster.close()
    await stopped
    return true
  } finally {
    cluster.close()
    clientCa?.close()
    await admin?.close(CLOSE_TIMEOUT_MS)
  }
}

/** Returns whether the webhook is ready, with the reasons why it is not. */
function checkReadiness(isDraining: boolean, hasCertificate: boolean) {
  const reasons = [
    ...(isDraining ? ['the webhook is shutting down'] : []),
    ...(hasCertificate ? [] : ['there is no certificate yet']),
  ]
  return { ready: reasons.length === 0, reasons }
}

/** Logs a review that has a message: one that rejects its pod. */
function logRejection(log: ProcessLog, { outcome, message, subject }: ReviewEvent): void {
  if (message === undefined) return
  const text = scrubAndTruncate(message, MAX_LOGGED_MESSAGE)
  log.warn('pod_rejected', { outcome, ...subject, message: text })
}

/** Returns the reviews by their paths. */
function createReviews(
  { settings, defaultTenantId }: WebhookOptions,
  cluster: Cluster,
  hasNativeSidecars: boolean,
): ReviewServerParts['reviews'] {
  const admission = {
    settings: { ...settings, hasNativeSidecars },
    lookUpServiceAccount: createServiceAccountLookup({ get: cluster.getServiceAccount }),
    ...(defaultTenantId !== undefined && { defaultTenantId }),
  }
  const namespaceAdmission = {
    ...admission,
    settings: { ...admission.settings, injectByDefault: true },
  }
  return {
    '/mutate': (read) => reviewPod(read, admission),
    // The API server sends the pods of labelled namespaces here, so that no namespace has to be read.
    '/mutate/namespace': (read) => reviewPod(read, namespaceAdmission),
  }
}

/** Returns true if the cluster has native sidecars. May wait for the API server, to read its version. */
async function supportsNativeSidecars(
  cluster: Cluster,
  { readsVersion, settings }: WebhookOptions,
): Promise<boolean> {
  if (!readsVersion) return settings.hasNativeSidecars
  return (await cluster.getMinorVersion()) >= NATIVE_SIDECARS_SINCE
}

function createCertificateSource({ certificate }: WebhookOptions, cluster: Cluster) {
  if (certificate.kind === 'mounted') {
    return { getCertificate: () => readMountedCertificate(certificate.directory) }
  }
  const { namespace, service, lifetimeMs } = certificate
  const store = cluster.createCertificateStore(certificate)
  const names = [`${service}.${namespace}.svc`]
  return {
    getCertificate: (served: CertificateMaterial | undefined) =>
      ensureCertificate(store, { names, lifetimeMs, trusted: served?.caPem }),
    publishCa: store.publishCa,
  }
}
