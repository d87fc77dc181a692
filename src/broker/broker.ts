/** Builds the broker: exchange, token cache and telemetry. Projected tokens and shared parts come from its caller. */
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
  /** Reads the projected token that `tokenFile` of an identity names: in a sidecar the path of the file. */
  readonly readAssertion: AssertionReader
  /** How often the projected tokens are read, in milliseconds. The default fits a sidecar, whose kubelet rotates the files. */
  readonly pollMs?: number
  readonly createSource: CreateSource
  readonly log: ProcessLog
}

/** Cached tokens at most; the least recently used one is evicted. A token takes about 12 KiB. */
const MAX_TOKENS = 1000

export type Broker = ReturnType<typeof createBroker>

/** Creates the broker. It reads no projected token and opens no connection yet. */
export function createBroker(sources: BrokerSources) {
  const { config, readAssertion, createSource, log } = sources
  const { timeoutMs, region } = config.exchange
  const identitiesFile = config.identitiesFile?.path
  // A reload replaces the configuration and its identities.
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
  const { onSkew, onAttempt, onExchange, onCacheResult: onResult } = telemetry
  const startExchange = createSource({ readAssertion, onSkew, onAttempt, region, timeoutMs })
  const options = { maxEntries: MAX_TOKENS, timeoutMs, clock: systemClock, onResult, onExchange }
  const cache = new TokenCache(startExchange, options)
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

  /** Fetches a token for each prefetched resource, and keeps the tokens refreshed. Resolves after one exchange for each. */
  const prefetch = () => cache.prefetch(listPrefetched(current.directory))

  return {
    /** Creates a pod whose callers get the tokens of the configuration. Each pod has its own limit of waiting callers. */
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
    /** Returns the identity of a token; undefined if the configuration forbids requests for it. */
    findIdentity: (clientId: string, scope: string) =>
      createIdentityFinder(current.directory)(clientId, scope),
    /** Replaces the identities. Tokens and failures stay cached if requests may still ask for them. */
    applyConfig: (next: Config) => {
      current = next
      Object.assign(identities, describeIdentities(next))
      const find = createIdentityFinder(next.directory)
      cache.updateIdentities(({ identity, scope }) => find(identity.clientId, scope))
      void assertions.poll()
      void prefetch()
      telemetry.onReload(undefined)
      const count = next.directory.identities.length
      log.info('config_reloaded', { file: identitiesFile, identities: count })
    },
    /** Reports why the changed identities file is not in use. */
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

function describeIdentities({ directory, tenantId }: Config): PodIdentities {
  return { resolve: createIdentityResolver(directory), tenantId }
}

/** Returns the parts that all pods of the configuration share. */
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

/** Returns a token request for each prefetched resource of each identity. */
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
  return (clientId: string, scope: string): Identity | undefined => {
    const found = findByClientId(clientId)
    return found && isAllowedResource(found, toResource(scope)) ? found : undefined
  }
}
