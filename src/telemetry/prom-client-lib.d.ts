/**
 * Types of the prom-client modules that wimds loads one by one. The package's main module also loads
 * its cluster support, push gateway, summaries and OpenTelemetry's API (docs/decisions/0038).
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
  export { Registry as default } from 'prom-client'
}
declare module 'prom-client/lib/metrics/*.js' {
  import type { Registry } from 'prom-client'

  /** Registers some of prom-client's default metrics. */
  export default function register(registry: Registry): void
}
