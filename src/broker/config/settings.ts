/** The environment variables that wimds reads: their names, defaults and schemas. */
import * as z from 'zod/mini'
import { ConfigError, type Problem } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { DEFAULT_ADMIN_PORT, DEFAULT_PORT, SIDECAR_MODES } from '../../lib/sidecar-interface.ts'
import { suggest } from '../../lib/suggest.ts'
import { REDACTED, scrub, scrubSetting } from '../../lib/secret.ts'
import {
  addresses,
  addressesOrOff,
  authorityHost,
  certificates,
  choice,
  createSchema,
  duration,
  flag,
  guid,
  hosts,
  integer,
  listOf,
  proxyUrl,
  quote,
  region,
  reject,
  resources,
  headerSecret,
  serverName,
  tenant,
  tokenPath,
  tokenProxyUrl,
} from '../../service/parsers.ts'
import { LOG_LEVELS } from '../../service/events.ts'
import { findPrefixProblem } from '../metadata/pass-through.ts'

/** Comma-separated path prefixes to forward to the real metadata service. */
const paths = listOf((prefix) => {
  const problem = findPrefixProblem(prefix)
  if (problem !== undefined) throw new Error(`${quote(prefix)} ${problem}`)
  return prefix
})

/** The instance document. */
const instance = createSchema(
  (text) => parseJsonObject(text) ?? reject(text, 'a JSON object such as {"compute":{}}'),
)

/** Every variable with its schema, and its default as text. docs/configuration.md has a row for each. */
export const Settings = z.object({
  AZURE_CLIENT_ID: z.optional(guid),
  AZURE_TENANT_ID: z.optional(tenant),
  AZURE_FEDERATED_TOKEN_FILE: z.optional(tokenPath),
  AZURE_AUTHORITY_HOST: z.prefault(authorityHost, 'https://login.microsoftonline.com/'),
  AZURE_REGIONAL_AUTHORITY_NAME: z.optional(region),
  AZURE_KUBERNETES_TOKEN_PROXY: z.optional(tokenProxyUrl),
  AZURE_KUBERNETES_SNI_NAME: z.optional(serverName),
  AZURE_KUBERNETES_CA_FILE: z.optional(z.string()),
  AZURE_KUBERNETES_CA_DATA: z.optional(certificates),
  WIMDS_CONFIG: z.optional(z.string()),
  WIMDS_LISTEN: z.prefault(addresses, `127.0.0.1:${DEFAULT_PORT}`),
  WIMDS_LISTEN_ON_NETWORK: z.prefault(flag, 'false'),
  WIMDS_ADMIN_LISTEN: z.prefault(addressesOrOff, `[::]:${DEFAULT_ADMIN_PORT}`),
  WIMDS_ALLOWED_HOSTS: z.optional(hosts),
  WIMDS_ANY_API_VERSION: z.prefault(flag, 'false'),
  WIMDS_MAX_CONNECTIONS: z.prefault(integer({ min: 1, max: 65_535 }), '512'),
  WIMDS_IDENTITY_HEADER: z.optional(headerSecret),
  WIMDS_CA_FILE: z.optional(z.string()),
  WIMDS_AUDIENCE: z.optional(z.string()),
  WIMDS_PREFETCH: z.optional(resources),
  WIMDS_UNLISTED_CLIENT_IDS: z.optional(choice('allow', 'deny')),
  WIMDS_EXCHANGE_TIMEOUT: z.prefault(duration({ min: '100ms', max: '1m' }), '8s'),
  WIMDS_MODE: z.optional(choice(...SIDECAR_MODES)),
  WIMDS_INSTANCE: z.optional(instance),
  WIMDS_PASS_THROUGH: z.optional(paths),
  WIMDS_LOG_LEVEL: z.prefault(choice(...LOG_LEVELS), 'info'),
  WIMDS_AUDIT_LOG: z.prefault(flag, 'false'),
  HTTPS_PROXY: z.optional(proxyUrl),
  https_proxy: z.optional(proxyUrl),
  NO_PROXY: z.optional(z.string()),
  no_proxy: z.optional(z.string()),
})

/** Defaults by name, for unset or empty variables; settings missing here have none. */
export const DEFAULTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(Settings.shape).flatMap(([name, { def }]) =>
    def.type === 'prefault' ? [[name, def.defaultValue]] : [],
  ),
)

export type SettingName = keyof (typeof Settings)['shape']

export type ParsedSettings = z.infer<typeof Settings>
export type Environment = Readonly<Record<string, string | undefined>>

/** Matches the names of secret settings, so that a new one is hidden by its name. */
const SECRET_NAME = /HEADER|SECRET|PASSWORD|CREDENTIAL|_KEY$|_DATA$/i

/** Returns every setting that has a value, for the status page and `wimds doctor`, in the order of the schema, without credentials. */
export function describeSettings(env: Environment) {
  return Object.keys(Settings.shape).flatMap((name) => {
    const value = env[name] || DEFAULTS[name]
    if (value === undefined) return []
    const shown = SECRET_NAME.test(name) ? REDACTED : scrubSetting(value).slice(0, 500)
    const source: 'environment' | 'default' = env[name] ? 'environment' : 'default'
    return { name, value: shown, source }
  })
}

/**
 * Parses each setting by itself. Returns no settings if there are problems. An empty variable counts as unset. `loadConfig`
 * checks which settings belong together.
 */
export function parseSettings(env: Environment) {
  const set = Object.entries(env).filter(([, value]) => Boolean(value))
  const { data: settings, error } = Settings.safeParse(Object.fromEntries(set))
  const problems = (error?.issues ?? []).map(({ path, message }): Problem => ({
    setting: path.join('.'),
    problem: message,
  }))
  return { settings, problems }
}

/** Kubernetes sets such variables in a pod for every Service. */
const SERVICE_LINK = /_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/

const PREFIX = 'WIMDS_'

/** Returns a warning for each name that begins with `WIMDS_` and is not a setting: most often a typing error. */
export function findUnknownSettings(env: Environment): string[] {
  return Object.keys(env)
    .filter(
      (name) => name.startsWith(PREFIX) && !(name in Settings.shape) && !SERVICE_LINK.test(name),
    )
    .map((name) => `${name} is not a setting of wimds and has no effect${suggestSetting(name)}`)
}

/** Returns `. Did you mean WIMDS_…?` for the name of an unknown setting; empty if none resembles it. */
function suggestSetting(name: string): string {
  const shorten = (each: string) => each.replace(PREFIX, '')
  const known = Object.keys(Settings.shape).filter((each) => each.startsWith(PREFIX))
  return suggest(shorten(name), known.map(shorten), PREFIX)
}

/** Creates the error that lists all problems. Each is scrubbed: it may repeat a misplaced token. */
export function createConfigError(problems: readonly Problem[]): ConfigError {
  const scrubbed = problems.map((each) => ({ ...each, problem: scrub(each.problem) }))
  return new ConfigError(scrubbed, { title: 'the configuration is not valid:' })
}
