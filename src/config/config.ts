/** The environment → one frozen Config, or one error that names every mistake. */
import { ConfigError } from '../errors.ts'
import type { Identity, IdentityDirectory } from '../identities.ts'
import { type Environment, Settings, unknownSettings, withDefaults } from './settings.ts'
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
  /** The tenant of identities that name none of their own. */
  readonly tenantId: string
  /** Every projected token file that an exchange may read. */
  readonly tokenFiles: readonly string[]
  readonly cacheSize: number
  readonly exchange: {
    readonly timeoutMs: number
    readonly maxConcurrent: number
    readonly caFile?: string
    readonly audience?: string
    readonly proxy?: { readonly url: string; readonly noProxy: string }
  }
  readonly readyAfterPrefetch: boolean
  readonly instanceFile?: string
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
    readonly format: 'auto' | 'json' | 'text'
  }
  readonly shutdown: { readonly drainMs: number; readonly timeoutMs: number }
  /** What is allowed but most likely not meant; to be logged once. */
  readonly warnings: readonly string[]
}

/** Reads the configuration. Throws a `ConfigError` that lists all mistakes, each with its variable. */
export function loadConfig(env: Environment): Config {
  const parsed = Settings.safeParse(withDefaults(env))
  const mistakes = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  // Read from the raw environment, so that a missing variable is named beside one that is wrong.
  if (!env['AZURE_TENANT_ID']) {
    mistakes.push('AZURE_TENANT_ID: is missing; set it to the tenant that holds the identity')
  }
  if (!env['AZURE_FEDERATED_TOKEN_FILE']) {
    mistakes.push(
      'AZURE_FEDERATED_TOKEN_FILE: is missing; set it to the path of the projected service-account token',
    )
  }
  if (!parsed.success || mistakes.length > 0) {
    throw new ConfigError(`the configuration is not valid:\n  ${mistakes.join('\n  ')}`)
  }
  return Object.freeze(configOf(parsed.data, unknownSettings(env)))
}

type ParsedSettings = ReturnType<typeof Settings.parse>

function configOf(settings: ParsedSettings, unknown: readonly string[]): Config {
  const directory = directoryOf(settings)
  const proxyUrl = settings.HTTPS_PROXY ?? settings.https_proxy
  return {
    listen: settings.WIMDS_LISTEN,
    adminListen: settings.WIMDS_ADMIN_LISTEN,
    allowedHosts: settings.WIMDS_ALLOWED_HOSTS ?? [],
    maxConnections: settings.WIMDS_MAX_CONNECTIONS,
    directory,
    tenantId: settings.AZURE_TENANT_ID ?? '',
    tokenFiles: [settings.AZURE_FEDERATED_TOKEN_FILE ?? ''],
    cacheSize: settings.WIMDS_CACHE_SIZE,
    exchange: {
      timeoutMs: settings.WIMDS_EXCHANGE_TIMEOUT,
      maxConcurrent: settings.WIMDS_MAX_EXCHANGES,
      ...defined({ caFile: settings.WIMDS_CA_FILE, audience: settings.WIMDS_AUDIENCE }),
      ...(proxyUrl !== undefined && {
        proxy: { url: proxyUrl, noProxy: settings.NO_PROXY ?? settings.no_proxy ?? '' },
      }),
    },
    readyAfterPrefetch: settings.WIMDS_READY_AFTER_PREFETCH,
    ...defined({ instanceFile: settings.WIMDS_INSTANCE_FILE }),
    log: { level: settings.WIMDS_LOG_LEVEL, format: settings.WIMDS_LOG_FORMAT },
    shutdown: { drainMs: settings.WIMDS_DRAIN, timeoutMs: settings.WIMDS_SHUTDOWN_TIMEOUT },
    warnings: unknown.map((name) => `${name} is not a setting of wimds and has no effect`),
  }
}

/** Without an identities file the environment describes the one default identity. */
function directoryOf(settings: ParsedSettings): IdentityDirectory {
  const base = {
    tenantId: settings.AZURE_TENANT_ID ?? '',
    authorityHost: settings.AZURE_AUTHORITY_HOST,
    tokenFile: settings.AZURE_FEDERATED_TOKEN_FILE ?? '',
  }
  const clientId = settings.AZURE_CLIENT_ID
  const fromEnvironment: Identity | undefined =
    clientId === undefined
      ? undefined
      : { ...base, name: 'default', clientId, prefetch: settings.WIMDS_PREFETCH ?? [] }
  const isOpen = settings.WIMDS_UNLISTED_CLIENT_IDS !== 'deny'
  return {
    identities: fromEnvironment === undefined ? [] : [fromEnvironment],
    ...defined({ defaultIdentity: fromEnvironment }),
    ...(isOpen && {
      unlisted: (id: string): Identity => ({ ...base, name: id, clientId: id, prefetch: [] }),
    }),
  }
}

/** The same fields without those that are undefined, for optional properties. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  // oxlint-disable-next-line no-unsafe-type-assertion -- fromEntries forgets the keys it was given
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
