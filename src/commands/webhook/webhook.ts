/** `wimds webhook`: the admission webhook, from its flags to its last review. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pino, { type Logger } from 'pino'
import { bind } from '../../server/bind.ts'
import { connections } from '../../server/connections.ts'
import { review } from '../../kubernetes/webhook/admission.ts'
import { certificateIn } from '../../kubernetes/webhook/certificate-directory.ts'
import {
  type CertificateKeeper,
  keepCertificate,
} from '../../kubernetes/webhook/certificate-keeper.ts'
import { currentCertificate, expiryOf } from '../../kubernetes/webhook/certificates.ts'
import type { Cluster } from '../../kubernetes/webhook/cluster.ts'
import { NATIVE_SIDECARS_SINCE } from '../../kubernetes/injector/settings.ts'
import { createWebhookMetrics } from '../../kubernetes/webhook/metrics.ts'
import { reviewServer, webhookAdminServer } from '../../kubernetes/webhook/server.ts'
import { scrub } from '../../secret.ts'
import { createRateLimit } from '../../telemetry/rate-limit.ts'
import { VERSION } from '../../version.ts'
import { type CommandIo, untilShutdown } from '../io.ts'
import { logOutput } from '../log-output.ts'
import { WEBHOOK_USAGE, type WebhookOptions, webhookOptions } from './options.ts'

/** An API server sends 200 reviews at once at most (its --max-mutating-requests-inflight). */
const MAX_CONNECTIONS = 256
/** Probes and Prometheus are few. */
const MAX_ADMIN_CONNECTIONS = 64

/** Serves until the signal, then drains. Throws `UsageError`. */
export async function webhook(args: readonly string[], io: CommandIo): Promise<number> {
  const options = webhookOptions(args)
  if (options === 'help') {
    io.stdout.write(WEBHOOK_USAGE)
    return 0
  }
  const { connectToCluster, reasonOf } = await import('../../kubernetes/webhook/cluster.ts')
  const log = pino(
    { base: null, formatters: { level: (label) => ({ level: label }) } },
    logOutput(io),
  )
  const onError = (error: unknown) =>
    log.warn({ event: 'webhook_error', message: scrub(reasonOf(error)) })
  return await serveReviews(options, connectToCluster({ onError }), { io, log, onError })
}

interface Surroundings {
  readonly io: CommandIo
  readonly log: Logger
  readonly onError: (error: unknown) => void
}

async function serveReviews(
  options: WebhookOptions,
  cluster: Cluster,
  { io, log, onError }: Surroundings,
): Promise<number> {
  let isEnding = false
  let keeper: CertificateKeeper | undefined

  const metrics = createWebhookMetrics(() => {
    const served = keeper?.served()
    return served && expiryOf(served)
  })
  const admin = webhookAdminServer({
    watch: connections(MAX_ADMIN_CONNECTIONS).watch,
    scrape: metrics.scrape,
    unready: () => [
      ...(isEnding ? ['it is ending'] : []),
      ...(keeper?.served() === undefined ? ['it has no certificate yet'] : []),
    ],
  })
  await bind(admin, options.adminListen)

  // The API server may be out of reach, and for long.
  const known = await Promise.race([whatIsKnown(cluster, options), untilShutdown(io)])
  if (known === undefined) {
    cluster.close()
    await close(admin)
    log.info({ event: 'shutdown_complete' })
    return 0
  }
  const { serviceAccount, hasNativeSidecars } = known
  const { defaultTenantId } = options
  const admission = {
    settings: { ...options.settings, hasNativeSidecars },
    serviceAccount,
    ...(defaultTenantId !== undefined && { defaultTenantId }),
  }
  // Of pods every line counts; anybody can send the rest.
  const allow = createRateLimit({
    onDropped: (outcome, count) =>
      log.warn({ event: 'log_rate_limited', droppedEvent: 'pod_rejected', outcome, count }),
  })
  const server = reviewServer({
    review: (body) => review(body, admission),
    isEnding: () => isEnding,
    watch: connections(MAX_CONNECTIONS).watch,
    onFailure: onError,
    onReview: (reviewed) => {
      metrics.onReview(reviewed)
      const { outcome, message, subject } = reviewed
      if (message === undefined) return
      const event = 'pod_rejected'
      if (subject === undefined && !allow(outcome)) return
      log.warn({ event, outcome, ...subject, message: scrub(message) })
    },
  })
  const bound = await bind(server, options.listen)
  keeper = keepCertificate({
    ...certificateSource(options, cluster),
    onError,
    serve: ({ certPem, keyPem }) => {
      server.setSecureContext({ cert: certPem, key: keyPem, minVersion: 'TLSv1.3' })
      const expiresAt = new Date(expiryOf({ certPem })).toISOString()
      log.info({ event: 'certificate_loaded', expiresAt })
    },
  })
  log.info({ event: 'listening', version: VERSION, ...bound, hasNativeSidecars })

  await untilShutdown(io)
  // Not ready any more, but served on until every API server has heard of it.
  isEnding = true
  log.info({ event: 'draining', drainMs: options.drainMs })
  await sleep(options.drainMs)
  const kept = keeper.stop()
  await close(server)
  // Nobody waits for an answer of the API server any more.
  cluster.close()
  await Promise.all([kept, close(admin)])
  log.info({ event: 'shutdown_complete' })
  return 0
}

/** What reviews need to know of the cluster; waits for an API server that answers. */
async function whatIsKnown(cluster: Cluster, { asksVersion, settings }: WebhookOptions) {
  const serviceAccount = await cluster.serviceAccounts()
  const hasNativeSidecars = asksVersion
    ? (await cluster.minorVersion()) >= NATIVE_SIDECARS_SINCE
    : settings.hasNativeSidecars
  return { serviceAccount, hasNativeSidecars }
}

function certificateSource({ certificate }: WebhookOptions, cluster: Cluster) {
  if (certificate.kind === 'mounted') {
    const { directory } = certificate
    return { current: () => certificateIn(directory), publish: async () => {}, settleMs: 0 }
  }
  const { namespace, service, secret, configuration, lifetimeMs } = certificate
  const store = cluster.certificates(namespace, secret)
  const host = `${service}.${namespace}.svc`
  return {
    current: (served: { caPem: string } | undefined) =>
      currentCertificate(store, { names: [host], lifetimeMs, trusted: served?.caPem }),
    publish: (caPem: string) => cluster.publishCa(configuration, caPem),
  }
}

async function close(server: Server & { closeAllConnections?: () => void }): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  setTimeout(() => server.closeAllConnections?.(), 1000).unref()
  await closed
}
