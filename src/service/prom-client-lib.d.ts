/**
 * Types of the prom-client modules that wimds loads one by one. The package's main module also loads
 * its cluster support, push gateway, summaries and OpenTelemetry's API.
 */
declare module 'prom-client/lib/counter.js' {
  export { Counter as default } from 'prom-client'
}
declare module 'prom-client/lib/gauge.js' {
  export { Gauge as default } from 'prom-client'
}
declare module 'prom-client/lib/histogram.js' {
  export { Histogram as default } from 'prom-client'
}
declare module 'prom-client/lib/registry.js' {
  import type { Registry as PromClientRegistry } from 'prom-client'

  type Metric = Parameters<PromClientRegistry['registerMetric']>[0]

  /** A metric in a registry. Either prom-client or wimds counts it. */
  interface RegisteredMetric {
    readonly name: string
    readonly help: string
    readonly labelNames: readonly string[]
    /** Called at each scrape. */
    readonly get: () => ReturnType<Metric['get']>
  }

  export default class Registry extends PromClientRegistry {
    registerMetric(
      metric: Metric | (Omit<RegisteredMetric, 'get'> & { readonly get: () => Promise<object> }),
    ): void
    getMetricsAsArray(): (ReturnType<PromClientRegistry['getMetricsAsArray']>[number] &
      RegisteredMetric)[]
  }
}
declare module 'prom-client/lib/metrics/*.js' {
  import type { Registry } from 'prom-client'

  /** Registers some of prom-client's default metrics. */
  export default function register(registry: Registry): void
}
