/** The metrics of the webhook. `npm run docs:telemetry` writes docs/metrics.md from their help texts. */
import {
  createRegistry,
  Histogram,
  registerBuildInfo,
  registerCollected,
} from '../../service/prometheus.ts'
import { describeDroppedLines } from '../../broker/telemetry/state-metrics.ts'
import { OUTCOMES } from './admission.ts'
import type { ReviewEvent } from './server.ts'

const REVIEW_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5]

/**
 * Creates the metrics. `expiresAt` returns when the served certificate expires, in epoch milliseconds. `droppedLines` has the
 * number of dropped log lines by event.
 */
export function createWebhookMetrics(
  expiresAt: () => number | undefined,
  droppedLines: ReadonlyMap<string, number>,
) {
  const registry = createRegistry()
  const reviewDuration = new Histogram({
    name: 'wimds_webhook_review_duration_seconds',
    help: 'Duration of admission reviews, by outcome. injected and skipped admit the pod; rejected rejects it. With error and overloaded the webhook rejects the pod if it could not read the ServiceAccount; otherwise it fails the request, as with malformed, and the failurePolicy decides.',
    labelNames: ['outcome'],
    buckets: REVIEW_BUCKETS,
    registers: [registry],
  })
  for (const outcome of OUTCOMES) reviewDuration.zero({ outcome })
  registerCollected(registry, [
    {
      name: 'wimds_webhook_certificate_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'When the served certificate expires, in Unix time. Absent until the webhook has a certificate.',
      collect: () => {
        const expiry = expiresAt()
        return expiry === undefined ? undefined : Math.floor(expiry / 1000)
      },
    },
    describeDroppedLines(droppedLines, ['pod_rejected', 'webhook_error']),
  ])
  registerBuildInfo(registry, 'wimds_webhook_build_info')
  return {
    registry,
    onReview: ({ outcome, durationMs }: ReviewEvent) =>
      reviewDuration.observe({ outcome }, durationMs / 1000),
    scrape: () => registry.metrics(),
  }
}
