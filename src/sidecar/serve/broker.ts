/** Builds the broker: exchange, token cache, telemetry and HTTP application. Sockets and projected tokens are given to it. */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { AssertionReader } from '../exchange/assertion.ts'
import { watchAssertions } from '../exchange/assertion-watcher.ts'
import {
  createClientIdLookup,
  createIdentityResolver,
  type Identity,
  type IdentityDirectory,
  isAllowedResource,
} from '../identities.ts'
import { formatUrlHost } from '../../lib/hosts.ts'
import { createGuard } from '../server/guard.ts'
import { createPeerUidLookup } from '../server/peer-uid.ts'
import type { Pod } from '../server/pod.ts'
import type { ProcessLog } from '../telemetry/logger.ts'
import { createTelemetry, type Telemetry } from '../telemetry/telemetry.ts'
import { systemClock } from '../tokens/clock.ts'
import { shareIdentityFailures } from '../tokens/identity-failures.ts'
import { TokenCache } from '../tokens/token-cache.ts'
import { createExchangeSource } from '../tokens/token-sources.ts'
import {
  type CacheRequest,
  createCacheRequest,
  type TokenRequest,
  toResource,
  toScope,
  type TokenSource,
} from '../tokens/token.ts'
import { createMetadataPort, type ListenForPod } from './metadata-port.ts'
import { setMemoryFlags } from './v8-settings.ts'

interface BrokerSources {
  readonly config: Config
  /** Reads a projected token by the name that an identity has for it: the path of its file in a sidecar. */
  readonly readAssertion: AssertionReader
  readonly log: ProcessLog
}

export interface Broker {
  /** The pod of the configuration. */
  readonly pod: Pod
  readonly listen: ListenForPod
  readonly telemetry: Telemetry
  /** Starts to poll the projected tokens; resolves after the first poll. */
  readonly watchAssertions: () => Promise<void>
  /** Fetches the resources of WIMDS_PREFETCH, and keeps them refreshed. Resolves after one attempt for each. */
  readonly prefetch: () => Promise<void>
  /** Replaces the identities. Tokens and failures stay cached if requests may still ask for them. */
  readonly applyConfig: (next: Config) => void
  /** Reports a reload; `problem` says why the new identities file is not in use. */
  readonly onReload: (problem: string | undefined) => void
  readonly close: () => void
}

/** Loading the exchange blocks the event loop: the ports and the first probe go first. */
const PRELOAD_DELAY_MS = 50

/**
 * Share of the connections whose callers may wait for Entra ID. The others are for callers whose token is
 * cached.
 */
const WAITING_SHARE = 3 / 4

/** Creates the broker. It reads no projected token and opens no connection yet. */
export function createBroker({ config, readAssertion, log }: BrokerSources): Broker {
  const { exchange } = config
  // A reload replaces them.
  let current = config
  let resolve = createIdentityResolver(config.directory)
  let reloadProblem: string | undefined

  const telemetry = createTelemetry({
    audience: exchange.audience,
    auditsTokens: config.log.auditsTokens,
    config: () =>
      reloadProblem === undefined
        ? current
        : { ...current, warnings: [...current.warnings, reloadProblem] },
    log,
    clock: systemClock,
    entries: () => cache.entries(),
    assertions: () => assertions.states,
    readyAfterPrefetch: config.readyAfterPrefetch,
  })
  const cache = createCache(config, readAssertion, telemetry)
  const assertions = watchAssertions({
    files: () => current.tokenFiles,
    read: readAssertion,
    clock: systemClock,
    onChange: (file, state, previous) => {
      telemetry.onAssertion(file, state)
      if (previous !== undefined) cache.assertionRotated(file)
    },
  })

  async function prefetch(): Promise<void> {
    await cache.prefetch(listPrefetched(current.directory))
    telemetry.onPrefetched()
  }

  return {
    pod: createPod(config, telemetry, {
      resolve: (selector) => resolve(selector),
      tenantId: () => current.tenantId,
    }),
    listen: createMetadataPort(config, cache.get),
    telemetry,
    watchAssertions: assertions.poll,
    prefetch,
    applyConfig: (next) => {
      current = next
      resolve = createIdentityResolver(next.directory)
      cache.updateIdentities(createIdentityFinder(next.directory))
      void assertions.poll()
      void prefetch()
    },
    onReload: (problem) => {
      telemetry.onReload(problem === undefined)
      reloadProblem = problem
    },
    close: () => {
      assertions.close()
      cache.close()
    },
  }
}

/** Creates the cache of the tokens that Entra ID issues. */
function createCache(
  config: Config,
  readAssertion: AssertionReader,
  telemetry: Telemetry,
): TokenCache {
  const { timeoutMs, maxConcurrent } = config.exchange
  const maxWaiting = Math.max(1, Math.floor(config.maxConnections * WAITING_SHARE))
  const source = createExchangeSource(() => loadExchange(config, readAssertion, telemetry), {
    loadDelayMs: PRELOAD_DELAY_MS,
    maxConcurrent,
    maxQueued: maxWaiting,
    timeoutMs,
    clock: systemClock,
    onExchange: telemetry.onExchange,
  })
  return new TokenCache(source, {
    maxEntries: config.cacheSize,
    maxWaiting,
    timeoutMs,
    clock: systemClock,
    onResult: telemetry.onCacheResult,
    onRefresh: telemetry.onRefresh,
  })
}

function createPod(
  { maxConnections, allowedHosts, listen }: Config,
  { readiness, onReply }: Telemetry,
  identities: Pick<Pod, 'resolve' | 'tenantId'>,
): Pod {
  const listenHosts = listen.map(({ host }) => formatUrlHost(host))
  return {
    ...identities,
    maxConnections,
    guard: createGuard({ allowedHosts: [...allowedHosts, ...listenHosts] }),
    findPeerUid: createPeerUidLookup(),
    isReady: () => readiness().ready,
    instanceId: randomUUID(),
    onReply,
  }
}

/** Returns the requests for the resources of WIMDS_PREFETCH, of every identity. */
function listPrefetched({ identities }: IdentityDirectory): CacheRequest[] {
  return identities.flatMap((identity) =>
    identity.prefetch.map((resource) => createCacheRequest(identity, toScope(resource))),
  )
}

/** Creates the function that returns the identity with which a cached request may still be made. */
function createIdentityFinder(directory: IdentityDirectory) {
  const findByClientId = createClientIdLookup(directory)
  return ({ identity: { clientId }, scope }: TokenRequest): Identity | undefined => {
    const found = findByClientId(clientId)
    return found && isAllowedResource(found, toResource(scope)) ? found : undefined
  }
}

/** Imports MSAL and the transport, in two steps, so that other requests are answered in between. */
async function loadExchange(
  config: Config,
  readAssertion: AssertionReader,
  { onSkew, onAttempt }: Pick<Telemetry, 'onSkew' | 'onAttempt'>,
): Promise<TokenSource> {
  const { region } = config.exchange
  setMemoryFlags()
  const { createExchangeDispatchers } = await import('../exchange/dispatcher.ts')
  const dispatchers = createExchangeDispatchers(config.exchange)
  await new Promise(setImmediate)
  const { createEntraExchange } = await import('../exchange/entra.ts')
  return createEntraExchange({
    readAssertion,
    onSkew,
    onAttempt,
    ...dispatchers,
    clock: systemClock,
    // Within the retries, so that the other resources of an identity know of a Retry-After that one exchange waits for.
    around: (source) => shareIdentityFailures(source, systemClock),
    region,
  })
}
