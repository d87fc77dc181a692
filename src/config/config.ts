/** The environment and the identities file → one frozen Config, or one error that names every mistake. */
import { isIP } from 'node:net'
import type { IdentityDirectory } from '../identities.ts'
import { comparableResource } from '../resource.ts'
import type { Secret } from '../secret.ts'
import { directoryOfEnvironment, directoryOfFile, tokenFilesOf } from './directory.ts'
import { groupMistakes, tokenProxyOf, type TokenProxySettings } from './groups.ts'
import {
  type FileEntries,
  readFileEntries,
  readIdentitiesFile,
  type ReadText,
} from './identities-text.ts'
import {
  type Environment,
  type Given,
  invalidConfiguration,
  type LogLevel,
  type ParsedSettings,
  parseSettings,
  unknownSettings,
  withDefaults,
} from './settings.ts'
import type { Address } from './values.ts'

/** Everything a command needs to know, checked. Times are in milliseconds. */
export interface Config {
  readonly listen: readonly Address[]
  /** Empty: no admin server. */
  readonly adminListen: readonly Address[]
  /** Host names allowed beside the link-local and loopback ones. */
  readonly allowedHosts: readonly string[]
  readonly maxConnections: number
  readonly directory: IdentityDirectory
  /** The file that the directory was read from, if it was, as it was then. */
  readonly identitiesFile?: { readonly path: string; readonly text: string }
  /** The tenant of the default identity, or of identities that name none. */
  readonly tenantId: string
  /** Every projected token file that an exchange may read. */
  readonly tokenFiles: readonly string[]
  readonly cacheSize: number
  readonly exchange: {
    readonly timeoutMs: number
    readonly maxConcurrent: number
    readonly audience?: string
    readonly proxy?: { readonly url: Secret; readonly noProxy: string }
    /** The Azure region whose token endpoint to use. */
    readonly region?: string
    readonly tokenProxy?: TokenProxySettings
  }
  /** The secret of the App Service endpoint; undefined: it is off. */
  readonly identityHeader?: Secret
  readonly readyAfterPrefetch: boolean
  /** Paths that go on to the real metadata service; empty: none. */
  readonly passThrough: readonly string[]
  readonly log: {
    readonly level: LogLevel
    readonly format: 'auto' | 'json' | 'text'
  }
  readonly shutdown: { readonly drainMs: number; readonly timeoutMs: number }
  /** What is allowed but most likely not meant; to be logged once. */
  readonly warnings: readonly string[]
}

/**
 * Reads the configuration. Throws a `ConfigError` that lists all mistakes, each with its place, and
 * `others` that were found elsewhere.
 */
export async function loadConfig(
  env: Environment,
  readText: ReadText = readIdentitiesFile,
  others: readonly string[] = [],
): Promise<Config> {
  const given = withDefaults(env)
  const { settings, problems } = parseSettings(env)
  const mistakes = [...problems]
  mistakes.push(...groupMistakes(given), ...missingBase(given))
  const file = given['WIMDS_CONFIG']
  const entries = file === undefined ? undefined : await readFileEntries(file, given, readText)
  mistakes.push(...(entries?.mistakes ?? []), ...others)
  if (settings === undefined || mistakes.length > 0) throw invalidConfiguration(mistakes)
  const config = configOf(settings, unknownSettings(env), entries)
  const late = [...prefetchMistakes(config.directory, settings), ...regionMistakes(config)]
  if (late.length > 0) throw invalidConfiguration(late)
  return Object.freeze(config)
}

/** What an identity needs that has nothing of its own: one of the environment, or an unlisted one. */
function missingBase(given: Given): string[] {
  if (given['WIMDS_CONFIG'] !== undefined && given['WIMDS_UNLISTED_CLIENT_IDS'] !== 'allow')
    return []
  const mistakes: string[] = []
  if (given['AZURE_TENANT_ID'] === undefined) {
    mistakes.push('AZURE_TENANT_ID: is missing; set it to the tenant that holds the identity')
  }
  if (given['AZURE_FEDERATED_TOKEN_FILE'] === undefined) {
    mistakes.push(
      'AZURE_FEDERATED_TOKEN_FILE: is missing; set it to the path of the projected service-account token',
    )
  }
  return mistakes
}

function configOf(
  settings: ParsedSettings,
  unknown: readonly string[],
  file: FileEntries | undefined,
): Config {
  const directory =
    file === undefined ? directoryOfEnvironment(settings) : directoryOfFile(file.entries, settings)
  const proxyUrl = settings.HTTPS_PROXY ?? settings.https_proxy
  return {
    listen: settings.WIMDS_LISTEN,
    adminListen: settings.WIMDS_ADMIN_LISTEN,
    allowedHosts: settings.WIMDS_ALLOWED_HOSTS ?? [],
    maxConnections: settings.WIMDS_MAX_CONNECTIONS,
    directory,
    ...(file !== undefined && { identitiesFile: { path: file.path, text: file.text } }),
    tenantId:
      directory.defaultIdentity?.tenantId ??
      settings.AZURE_TENANT_ID ??
      directory.identities[0]?.tenantId ??
      '',
    tokenFiles: tokenFilesOf(directory, settings.AZURE_FEDERATED_TOKEN_FILE),
    cacheSize: settings.WIMDS_CACHE_SIZE,
    exchange: {
      timeoutMs: settings.WIMDS_EXCHANGE_TIMEOUT,
      maxConcurrent: settings.WIMDS_MAX_EXCHANGES,
      ...defined({
        audience: settings.WIMDS_AUDIENCE,
        region: settings.WIMDS_REGION ?? settings.AZURE_REGIONAL_AUTHORITY_NAME,
        tokenProxy: tokenProxyOf(settings),
      }),
      ...(proxyUrl !== undefined && {
        proxy: { url: proxyUrl, noProxy: settings.NO_PROXY ?? settings.no_proxy ?? '' },
      }),
    },
    ...defined({ identityHeader: settings.WIMDS_IDENTITY_HEADER }),
    readyAfterPrefetch: settings.WIMDS_READY_AFTER_PREFETCH,
    passThrough: settings.WIMDS_PASS_THROUGH ?? [],
    log: { level: settings.WIMDS_LOG_LEVEL, format: settings.WIMDS_LOG_FORMAT },
    shutdown: { drainMs: settings.WIMDS_DRAIN, timeoutMs: settings.WIMDS_SHUTDOWN_TIMEOUT },
    warnings: unknown.map((name) => `${name} is not a setting of wimds and has no effect`),
  }
}

/** WIMDS_PREFETCH is for the default identity, whose allow-list may be in the file. */
function prefetchMistakes(
  { defaultIdentity }: IdentityDirectory,
  settings: ParsedSettings,
): string[] {
  const { WIMDS_PREFETCH: wanted, WIMDS_CONFIG: file } = settings
  if (wanted === undefined) return []
  if (defaultIdentity === undefined) {
    const mend = file === undefined ? 'set AZURE_CLIENT_ID' : 'mark one in the identities file'
    return [`WIMDS_PREFETCH: is for the default identity, and there is none: ${mend}`]
  }
  const allowed = defaultIdentity.resources
  if (allowed === undefined) return []
  return wanted
    .filter((resource) => !allowed.includes(comparableResource(resource)))
    .map((resource) => `WIMDS_PREFETCH: ${resource} is not one of the default identity's resources`)
}

/** A region's endpoint is a subdomain of the authority host, which an address does not have. */
function regionMistakes({ directory, exchange }: Config): string[] {
  if (exchange.region === undefined) return []
  const hosts = directory.identities.map(({ authorityHost }) => new URL(authorityHost).hostname)
  return [...new Set(hosts)]
    .filter((host) => isIP(host.replaceAll(/^\[|\]$/g, '')) !== 0)
    .map((host) => `WIMDS_REGION: has no meaning with the authority host ${host}, an address`)
}

/** The same fields without those that are undefined, for optional properties. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  // oxlint-disable-next-line no-unsafe-type-assertion -- fromEntries forgets the keys it was given
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
