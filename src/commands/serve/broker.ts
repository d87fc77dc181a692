/** The broker put together: exchange, cache, projected-token watch, and what they report to. */
import type { Config } from '../../config/config.ts'
import { type AssertionReader, createAssertionReader } from '../../exchange/assertion.ts'
import { watchAssertions } from '../../exchange/assertion-watcher.ts'
import { createIdentityResolver, type IdentityResolver } from '../../identities.ts'
import type { ProcessLog } from '../../telemetry/logger.ts'
import { createTelemetry, type Telemetry } from '../../telemetry/telemetry.ts'
import { systemClock } from '../../tokens/clock.ts'
import { createTokenCache } from '../../tokens/token-cache.ts'
import { createExchangeSource } from '../../tokens/token-sources.ts'
import { toScope, type TokenSource } from '../../tokens/token.ts'

/** A broker that answers as soon as its exchange has been loaded. */
export interface Broker {
  readonly tokens: TokenSource
  readonly resolve: IdentityResolver
  readonly telemetry: Telemetry
  /** Begins to follow the projected tokens; resolves after the first look at them. */
  readonly watch: () => Promise<void>
  /** Fetches the configured resources and keeps them warm; resolves when each was tried once. */
  readonly prefetch: () => Promise<void>
  /** Goes on with the identities of another configuration; what they share is kept. */
  readonly adopt: (next: Config) => void
  /** Has the status say, among its warnings, what keeps a new configuration out. */
  readonly onReload: (problem: string | undefined) => void
  readonly close: () => void
}

/** Long enough for the ports to be open and the first probe to be answered, and before most callers. */
const LATEST_LOAD_MS = 50

/**
 * This part of the connections may be of callers that wait for Entra ID. The rest is for callers that are
 * answered at once, so that whoever asks for a held token gets in.
 */
const WAITING_SHARE = 3 / 4

/** Nothing is read or connected to before it is asked for. */
export function broker(config: Config, log: ProcessLog): Broker {
  const clock = systemClock
  const { exchange } = config
  let { directory, tokenFiles, warnings } = config
  let resolver = createIdentityResolver(directory)

  const read = createAssertionReader({
    ...(exchange.audience !== undefined && { audience: exchange.audience }),
  })
  // These report to `told`, which shows what they hold: it is there before any of them has begun.
  const load = () =>
    loadExchange(config, {
      readAssertion: read,
      onSkew: told.onSkew,
      onAttempt: told.onAttempt,
    })
  const source = createExchangeSource(load, {
    loadDelayMs: LATEST_LOAD_MS,
    maxConcurrent: exchange.maxConcurrent,
    timeoutMs: exchange.timeoutMs,
    clock,
    onExchange: (event) => told.onExchange(event),
  })
  const cache = createTokenCache(source, {
    maxEntries: config.cacheSize,
    maxWaiting: Math.max(1, Math.floor(config.maxConnections * WAITING_SHARE)),
    clock,
    onResult: (result) => told.onCacheResult(result),
    onRefresh: (event) => told.onRefresh(event),
  })
  const assertions = watchAssertions({
    files: () => tokenFiles,
    read,
    onChange: (file, state) => {
      told.onAssertion(file, state)
      cache.assertionRotated(file)
    },
  })
  const told = createTelemetry({
    ...(exchange.audience !== undefined && { audience: exchange.audience }),
    auditsTokens: config.log.auditsTokens,
    config: {
      get directory() {
        return directory
      },
      get warnings() {
        return warnings
      },
    },
    log,
    clock,
    entries: cache.entries,
    assertions: () => assertions.states,
    awaitsPrefetch: config.readyAfterPrefetch,
  })

  async function prefetch(): Promise<void> {
    await cache.prefetch(
      directory.identities.flatMap((identity) =>
        identity.prefetch.map((resource) => ({ identity, scope: toScope(resource) })),
      ),
    )
    told.onPrefetched()
  }

  function adopt(next: Config): void {
    ;({ directory, tokenFiles, warnings } = next)
    resolver = createIdentityResolver(directory)
    void assertions.poll()
    void prefetch()
  }

  function onReload(problem: string | undefined): void {
    told.onReload(problem === undefined)
    if (problem !== undefined) warnings = [...config.warnings, problem]
  }

  return {
    tokens: cache.get,
    resolve: (selector) => resolver(selector),
    adopt,
    onReload,
    telemetry: told,
    watch: assertions.poll,
    prefetch,
    close: () => {
      assertions.close()
      cache.close()
    },
  }
}

interface Surroundings {
  readonly readAssertion: AssertionReader
  readonly onSkew: (skewMs: number) => void
  readonly onAttempt: Telemetry['onAttempt']
}

/** MSAL and the transport: in two steps, so that others are answered in between. */
async function loadExchange(config: Config, surroundings: Surroundings): Promise<TokenSource> {
  const { region, timeoutMs } = config.exchange
  const { createExchangeDispatchers } = await import('../../exchange/dispatcher.ts')
  const dispatchers = createExchangeDispatchers(config.exchange)
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('../../exchange/entra.ts')
  return createEntraExchange({
    ...surroundings,
    ...dispatchers,
    clock: systemClock,
    timeoutMs,
    ...(region !== undefined && { region }),
  })
}
