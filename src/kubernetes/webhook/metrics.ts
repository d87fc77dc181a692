/** What Prometheus sees of the webhook. */
import { histogram } from '../../telemetry/counts.ts'
import { type Exposition, expositionOf } from '../../telemetry/exposition.ts'
import type { MetricDefinition } from '../../telemetry/metric-catalogue.ts'
import type { ReviewEvent } from './server.ts'

export interface WebhookMetrics {
  readonly onReview: (event: ReviewEvent) => void
  readonly scrape: () => Promise<Exposition>
}

const REVIEWS = 'wimds_webhook_review_duration_seconds'
const EXPIRY = 'wimds_webhook_certificate_expiry_timestamp_seconds'

/** Every metric of the webhook. docs/metrics.md holds this table. */
export const WEBHOOK_METRICS = {
  [REVIEWS]: {
    type: 'histogram',
    labels: ['outcome'],
    help: 'Time of admission reviews, by outcome: injected, skipped, rejected, failed, malformed or overloaded.',
  },
  [EXPIRY]: {
    type: 'gauge',
    labels: [],
    help: 'When the certificate that is served ends, in Unix time.',
  },
} as const satisfies Record<string, MetricDefinition>

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5]

/** `expiresAt` is the end of the served certificate, in epoch milliseconds. */
export function webhookMetrics(expiresAt: () => number | undefined): WebhookMetrics {
  const reviews = histogram(BUCKETS)
  return {
    onReview: ({ outcome, durationMs }) => reviews.observe(outcome, durationMs / 1000),
    scrape: () => {
      const ends = expiresAt()
      const expiry = ends === undefined ? [] : [{ labels: [], value: Math.floor(ends / 1000) }]
      return expositionOf([
        { name: REVIEWS, ...WEBHOOK_METRICS[REVIEWS], read: reviews.samples },
        { name: EXPIRY, ...WEBHOOK_METRICS[EXPIRY], read: () => expiry },
      ])
    },
  }
}
