/** Builds the broker: exchange, token cache and telemetry. Projected tokens and what the process shares are given to it. */
import type { Config } from './config/config.ts'
import type { AssertionReader } from './exchange/assertion.ts'
import { watchAssertions } from './exchange/assertion-watcher.ts'
import {
  createClientIdLookup,
  createIdentityResolver,
  type Identity,
  type IdentityDirectory,
  isAllowedResource,
} from './identities.ts'
import { ConfigError, toBrokerError } from '../lib/errors.ts'
import { formatUrlHost } from '../lib/hosts.ts'
import { createGuard } from './server/guard.ts'
import type { Pod, PodIdentities } from './server/app.ts'
import { createAppServiceDialects } from './dialects/app-service.ts'
import { cloudShell } from './dialects/cloud-shell.ts'
import { imds, imdsOfAnyVersion } from './dialects/imds.ts'
import { createPassThrough } from './metadata/pass-through.ts'
import type { ProcessLog } from '../service/logger.ts'
import { errorFields } from '../service/describe-failure.ts'
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts'
import { systemClock } from './tokens/lifetime.ts'
import { TokenCache } from './tokens/token-cache.ts'
import { toResource, toScope } from '../lib/resource.ts'
import type { TokenRequest } from './tokens/token.ts'
import type { CreateSource } from './exchange-stack.ts'
import { countWaiting } from './tokens/caller-wait.ts'

interface BrokerSources {
  readonly config: Config
  /** Reads a projected token by the name that an identity has for it: the path of its file in a sidecar. */
  readonly readAssertion: AssertionReader
  /** How often the projected tokens are read, in milliseconds; undefined: as fits files of the own pod. */
  readonly pollMs?: number
  readonly createSource: CreateSource
  readonly log: ProcessLog
}

/** A token takes about 12 KiB. The least recently used one is evicted. */
const MAX_TOKENS = 1000

interface AskedToken extends Pick<TokenRequest, 'scope'> {
  readonly identity: Pick<Identity, 'clientId'>
}

export type Broker = ReturnType<typeof createBroker>

/** Creates the broker. It reads no projected token and opens no connection yet. */
export function createBroker(sources: BrokerSources) {
  const { config, readAssertion, log } = sources
  const identitiesFile = config.identitiesFile?.path
  // A reload replaces them.
  let current = config
  const identities = describeIdentities(config)

  const telemetry = createTelemetry({
    auditsTokens: config.log.auditsTokens,
    config: () => current,
    log,
    clock: systemClock,
    entries: () => cache.entries(),
    assertions: () => assertions.states,
  })
  const cache = createCache(sources, telemetry)
  const shared = { ...describePod(config, telemetry), identities }
  const assertions = watchAssertions({
    files: () => current.tokenFiles,
    read: readAssertion,
    clock: systemClock,
    pollMs: sources.pollMs,
    onChange: (file, state, previous) => {
      telemetry.onAssertion(file, state)
      if (previous !== undefined) cache.assertionRotated(file)
    },
  })

  /** Fetches the resources of WIMDS_PREFETCH, and keeps them refreshed. Resolves after one attempt for each. */
  const prefetch = () => cache.prefetch(listPrefetched(current.directory))

  return {
    /** Creates a pod that gets the tokens of the configuration, with its own share of waiting callers. */
    createPod: (instanceId: string): Pod => ({
      ...shared,
      instanceId,
      tokens: cache.createGet(countWaiting(config.maxConnections)),
    }),
    telemetry,
    /** Starts to poll the projected tokens; resolves after the first poll. */
    watchAssertions: assertions.poll,
    prefetch,
    entries: () => cache.entries(),
    /** Returns the identity with which the token may be requested; undefined: the configuration forbids it. */
    findIdentity: (token: AskedToken) => createIdentityFinder(current.directory)(token),
    /** Replaces the identities. Tokens and failures stay cached if requests may still ask for them. */
    applyConfig: (next: Config) => {
      current = next
      Object.assign(identities, describeIdentities(next))
      cache.updateIdentities(createIdentityFinder(next.directory))
      void assertions.poll()
      void prefetch()
      telemetry.onReload(undefined)
      const count = next.directory.identities.length
      log.info('config_reloaded', { file: identitiesFile, identities: count })
    },
    /** Reports why the identities file, which has changed, is not in use. */
    rejectConfig: (error: unknown) => {
      const { message } = error instanceof ConfigError ? error : toBrokerError(error)
      const at = new Date().toISOString().slice(0, 19).replace('T', ' ')
      telemetry.onReload(
        `the identities file has changed (read at ${at} UTC), but the old one is still in use: ${message}`,
      )
      const fields = error instanceof ConfigError ? { message } : errorFields(error)
      log.error('config_reload_failed', { file: identitiesFile, ...fields })
    },
    close: () => {
      assertions.close()
      cache.close()
    },
  }
}

function createCache(
  { config, readAssertion, createSource }: BrokerSources,
  { onExchange, onSkew, onAttempt, onCacheResult }: Telemetry,
): TokenCache {
  const { timeoutMs, region } = config.exchange
  return new TokenCache(createSource({ readAssertion, onSkew, onAttempt, region, timeoutMs }), {
    maxEntries: MAX_TOKENS,
    timeoutMs,
    clock: systemClock,
    onResult: onCacheResult,
    onExchange,
  })
}

function describeIdentities({ directory, tenantId }: Config): PodIdentities {
  return { resolve: createIdentityResolver(directory), tenantId }
}

/** Returns what all pods of the configuration have in common. */
function describePod(config: Config, { isReady, onReply }: Telemetry) {
  const { maxConnections, instance, identityHeader, passThrough: prefixes } = config
  const listenHosts = config.listen.map(({ host }) => formatUrlHost(host))
  const dialects = [
    config.isAnyApiVersionAllowed ? imdsOfAnyVersion : imds,
    cloudShell,
    ...(identityHeader === undefined ? [] : createAppServiceDialects(identityHeader)),
  ]
  return {
    maxConnections,
    guard: createGuard([...config.allowedHosts, ...listenHosts]),
    dialects: Map.groupBy(dialects, ({ path }) => path),
    instance,
    passThrough: createPassThrough({ prefixes }),
    isReady,
    onReply,
  }
}

/** Returns the requests for the resources of WIMDS_PREFETCH, of every identity. */
function listPrefetched({ identities }: IdentityDirectory): TokenRequest[] {
  return identities.flatMap((identity) =>
    identity.prefetch.map((resource) => ({ identity, scope: toScope(resource) })),
  )
}

/**
 * Creates the function that returns the identity of a token that was requested before; undefined if this configuration no longer
 * allows the client id or the resource.
 */
function createIdentityFinder(directory: IdentityDirectory) {
  const findByClientId = createClientIdLookup(directory)
  return ({ identity: { clientId }, scope }: AskedToken): Identity | undefined => {
    const found = findByClientId(clientId)
    return found && isAllowedResource(found, toResource(scope)) ? found : undefined
  }
}
