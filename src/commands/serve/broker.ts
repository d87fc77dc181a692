/** The broker put together: exchange, cache, projected-token watch, and what they report to. */
import type { Config } from '../../config/config.ts'
import { type AssertionReader, createAssertionReader } from '../../exchange/assertion.ts'
import { watchAssertions } from '../../exchange/assertion-watcher.ts'
import { identityResolver, type IdentityResolver, requireAllowed } from '../../identities.ts'
import type { ProcessLog } from '../../telemetry/logger.ts'
import { createTelemetry, type Telemetry } from '../../telemetry/telemetry.ts'
import { systemClock } from '../../tokens/clock.ts'
import { deferred } from '../../tokens/deferred.ts'
import { tokenStack } from '../../tokens/stack.ts'
import {
  type CallerTokens,
  resourceIn,
  scopeOf,
  type TokenRequest,
  type TokenSource,
} from '../../tokens/token.ts'

/** A broker that answers as soon as its exchange has been loaded. */
export interface Broker {
  readonly tokens: CallerTokens
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
  let resolver = identityResolver(directory)

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
  const cache = tokenStack(deferred(load, LATEST_LOAD_MS), {
    max: config.cacheSize,
    maxWaiting: Math.max(1, Math.floor(config.maxConnections * WAITING_SHARE)),
    maxConcurrent: exchange.maxConcurrent,
    timeoutMs: exchange.timeoutMs,
    clock,
    onExchange: (event) => told.onExchange(event),
    onResult: (result) => {
      if (result === 'refreshed') told.onRefresh(true)
      else if (result === 'refused') told.onCacheResult('negative_hit')
      else told.onCacheResult(result === 'bypassed' ? 'bypass' : result)
    },
    onRenewalFailed: (failure) => told.onRefreshFailed(failure),
  })
  const assertions = watchAssertions({
    files: () => tokenFiles,
    read,
    onChange: (file, state) => {
      told.onAssertion(file, state)
      cache.assertionChanged(file)
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
    const wishes = directory.identities.flatMap((identity) =>
      identity.prefetch.map((resource) => ({ identity, scope: scopeOf(resource), keepWarm: true })),
    )
    // A failure has been reported by then, and the cache tries again by itself.
    await Promise.allSettled(wishes.map((wish) => cache.tokens(wish)))
    told.onPrefetched()
  }

  function adopt(next: Config): void {
    ;({ directory, tokenFiles, warnings } = next)
    resolver = identityResolver(directory)
    cache.adopt((request) => meaningOf(request, resolver))
    void assertions.poll()
    void prefetch()
  }

  function onReload(problem: string | undefined): void {
    told.onReload(problem === undefined)
    if (problem !== undefined) warnings = [...config.warnings, problem]
  }

  return {
    tokens: cache.tokens,
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
  const { createExchangeDispatcher } = await import('../../exchange/dispatcher.ts')
  const dispatcher = createExchangeDispatcher(config.exchange)
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('../../exchange/entra.ts')
  return createEntraExchange({
    ...surroundings,
    dispatcher,
    clock: systemClock,
    timeoutMs,
    ...(region !== undefined && { region }),
  })
}

/** What a request means to these identities; undefined if they refuse it. */
function meaningOf(request: TokenRequest, resolve: IdentityResolver): TokenRequest | undefined {
  const { scope, claims } = request
  try {
    const identity = resolve({ by: 'clientId', value: request.identity.clientId })
    requireAllowed(identity, resourceIn(scope))
    const isPrefetched = identity.prefetch.some((resource) => scopeOf(resource) === scope)
    return { ...request, identity, keepWarm: isPrefetched && claims === undefined }
  } catch {
    return undefined
  }
}
