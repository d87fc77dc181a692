/** All that is told of a running sidecar, put together: log, metrics, readiness and status. */
import type { Config } from '../config/config.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { ReplyEvent } from '../server/wire.ts'
import type { CacheEntry, CacheResult } from '../tokens/token-cache.ts'
import type { Clock } from '../tokens/clock.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import { VERSION } from '../version.ts'
import { clientInventory } from './client-inventory.ts'
import { history } from './history.ts'
import { logExchange, logReply } from './log-lines.ts'
import type { ProcessLog } from './logger.ts'
import { type Metrics, metrics } from './metrics.ts'
import { type Readiness, status } from './status.ts'
import { statusDocument } from './status-document.ts'
import type { StatusDocument } from './status-schema.ts'

interface TelemetrySources {
  readonly config: Pick<Config, 'directory' | 'warnings'>
  readonly log: ProcessLog
  readonly clock: Clock
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** Readiness is to wait until what there is to prefetch was tried. */
  readonly awaitsPrefetch: boolean
}

export interface Telemetry extends Pick<Metrics, 'onReload' | 'scrape'> {
  readonly onReply: (event: ReplyEvent) => void
  readonly onResult: (result: CacheResult) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Told when what is seen of a projected token has changed. */
  readonly onAssertion: (state: AssertionState) => void
  /** Told how far the local clock is ahead of Entra ID's, in milliseconds. */
  readonly onSkew: (skewMs: number) => void
  /** Told when what there is to prefetch was tried. */
  readonly onPrefetched: () => void
  readonly readiness: () => Readiness
  /** What the status page shows; `settings` are those in force. */
  readonly document: (settings: StatusDocument['settings']) => StatusDocument
}

/** Tells each event to all that keep count of it. Nothing is shown before somebody asks. */
export function telemetry(sources: TelemetrySources): Telemetry {
  const { config, log, clock, entries, assertions, awaitsPrefetch } = sources
  const startedAt = clock.wall()
  const inventory = clientInventory(clock.wall)
  const past = history(clock.wall)
  const health = status({
    assertions,
    awaitsPrefetch,
    now: clock.wall,
    onReady: () => log.info('ready'),
  })
  let skewMs: number | undefined
  const meters = metrics({
    version: VERSION,
    directory: () => config.directory,
    clock,
    inventory,
    isReady: () => health.readiness().ready,
    entries,
    assertions,
    skewMs: () => skewMs,
    suppressed: log.suppressed,
  })

  return {
    onReply: (event) => {
      // A readiness probe on the main port: nobody's request.
      if (event.dialect === 'none' && event.error === undefined) return
      const client = inventory.seen(event.headers)
      meters.onReply(event, client)
      if (event.error === undefined) return
      past.onReply(event, client)
      logReply(log, event, client)
    },
    onResult: meters.onResult,
    onExchange: (event) => {
      meters.onExchange(event)
      past.onExchange(event)
      logExchange(log, event)
      health.onExchange(event)
    },
    onAssertion: health.onAssertion,
    onPrefetched: health.onPrefetched,
    onSkew: (ms) => {
      skewMs = ms
    },
    onReload: meters.onReload,
    readiness: health.readiness,
    scrape: meters.scrape,
    document: (settings) =>
      statusDocument({
        version: VERSION,
        startedAt,
        clock,
        config,
        readiness: health.readiness(),
        entries: entries(),
        assertions: assertions(),
        exchanges: past.exchanges(),
        refusals: past.refusals(),
        clients: inventory.clients(),
        skewMs,
        logLevel: log.level(),
        settings,
      }),
  }
}
