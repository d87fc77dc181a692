/** Parses the pod's annotations: those of wimds, and those of azure-workload-identity. */
import { readRecord } from './injection-record.ts'
import { type ObjectKey, parseObjectKey, parseObjectName } from './object-keys.ts'
import type { Pod } from './pod.ts'
import { isGreater, omitPodLevelResources, parseQuantity } from './resources.ts'
import { type CaSource, type InjectionSettings, parseCaSource } from './settings.ts'
import { ROUTING_MODES, type RoutingMode } from '../../lib/routing-modes.ts'
import { suggest } from '../../lib/suggest.ts'
import { parseWholeNumber } from '../../lib/whole-number.ts'

/** The prefix of the annotations of wimds. */
export const PREFIX = 'wimds.io/'

/** The prefix of the annotations of azure-workload-identity. */
export const AZWI_PREFIX = 'azure.workload.identity/'

/** The annotations of a ServiceAccount that name its identity. */
export const CLIENT_ID = `${AZWI_PREFIX}client-id`
export const TENANT_ID = `${AZWI_PREFIX}tenant-id`

const NAMES = [
  'inject',
  'injected',
  'mode',
  'port',
  'admin-port',
  'config-map',
  'prefetch',
  'pass-through',
  'identity-header-secret',
  'ca-config-map',
  'ca-secret',
  'https-proxy',
  'https-proxy-secret',
  'no-proxy',
  'sdk-credentials',
  'cpu-request',
  'cpu-limit',
  'memory-request',
  'memory-limit',
  'skip-containers',
] as const
type Name = (typeof NAMES)[number]

/** The options of an injection that a pod's annotations set. */
export interface PodOptions {
  /** Undefined if the pod has no such annotation. */
  readonly inject: boolean | undefined
  /** True if an earlier injection decides the mode, and the operator's settings have another one. */
  readonly keepsEarlierMode: boolean
  /** The operator's settings with the pod's overrides. */
  readonly settings: Pick<InjectionSettings, 'mode' | 'port' | 'adminPort' | 'resources' | 'ca'>
  /** A ConfigMap with the key `identities.yaml`. */
  readonly configMap: string | undefined
  readonly prefetch: string | undefined
  /** Paths of the node's IMDS that the sidecar may forward. */
  readonly passThrough: string | undefined
  readonly identityHeaderSecret: ObjectKey | undefined
  /** URL of the HTTP proxy to Entra ID. */
  readonly httpsProxy: string | undefined
  /** The Secret with that URL, if it contains a password. */
  readonly httpsProxySecret: ObjectKey | undefined
  /** Hosts that are reached without the proxy. */
  readonly noProxy: string | undefined
  /** True if SDKs are to use the managed identity and no other credential. */
  readonly usesManagedIdentityOnly: boolean
  /** How long the projected token that injection adds is valid, in seconds; undefined: for the default. */
  readonly tokenExpiration: number | undefined
  /** Containers whose environment is not changed. */
  readonly skipped: ReadonlySet<string>
  /** A sentence for each annotation that is unknown or malformed. */
  readonly problems: readonly string[]
}

/** Parses the annotations; settings that they do not override have the operator's value. */
export function parseAnnotations(pod: Pod, defaults: InjectionSettings): PodOptions {
  const annotations = pod.metadata?.annotations ?? {}
  const problems = [
    ...findUnknownAnnotations(annotations),
    ...findConflicts(annotations),
    ...findPassword(annotations),
  ]

  /** Parses the first of the annotations that is set. `expected` completes "must be …". */
  function parseFirst<T>(
    keys: readonly string[],
    parse: (text: string) => T | undefined,
    expected: string,
  ): T | undefined {
    const key = keys.find((candidate) => annotations[candidate] !== undefined)
    const value = key === undefined ? undefined : annotations[key]
    if (key === undefined || value === undefined) return undefined
    const parsed = parse(value.trim())
    if (parsed === undefined) {
      problems.push(`the annotation ${key} must be ${expected}, not ${JSON.stringify(value)}`)
    }
    return parsed
  }
  const read = <T>(name: Name, parse: (text: string) => T | undefined, expected: string) =>
    parseFirst([PREFIX + name], parse, expected)
  const readQuantity = (name: Name) =>
    read(name, (value) => (parseQuantity(value) === undefined ? undefined : value), 'a quantity')

  const readKey = (name: Name, defaultKey: string) =>
    read(name, (value) => parseObjectKey(value, defaultKey), 'NAME or NAME/KEY of a Secret')
  const readCa = (name: Name, kind: CaSource['kind'], object: string) =>
    read(name, (value) => parseCaSource(kind, value), `NAME or NAME/KEY of a ${object}`)

  const resources = omitPodLevelResources(defaults.resources, pod)
  const memoryRequest = readQuantity('memory-request') ?? resources.memoryRequest
  const cpuRequest = readQuantity('cpu-request')
  const mode = read('mode', parseMode, MODE_EXPECTED)
  const injectedMode = readRecord(pod)?.mode
  return {
    inject: read('inject', parseBoolean, 'true or false') ?? (asksForAzwiProxy(pod) || undefined),
    keepsEarlierMode:
      mode === undefined && injectedMode !== undefined && injectedMode !== defaults.mode,
    settings: {
      // An injected pod keeps its mode while replicas of the webhook with different defaults review it.
      mode: mode ?? injectedMode ?? defaults.mode,
      port:
        parseFirst(
          [`${PREFIX}port`, `${AZWI_PREFIX}proxy-sidecar-port`],
          parsePort,
          PORT_EXPECTED,
        ) ?? defaults.port,
      adminPort: read('admin-port', parsePort, PORT_EXPECTED) ?? defaults.adminPort,
      resources: {
        cpuRequest: cpuRequest ?? resources.cpuRequest,
        cpuLimit: readQuantity('cpu-limit') ?? resources.cpuLimit,
        memoryRequest,
        memoryLimit:
          readQuantity('memory-limit') ?? maxQuantity(resources.memoryLimit, memoryRequest),
        guaranteedCpu: cpuRequest ?? resources.guaranteedCpu,
      },
      ca:
        readCa('ca-config-map', 'configMap', 'ConfigMap') ??
        readCa('ca-secret', 'secret', 'Secret') ??
        defaults.ca,
    },
    configMap: read('config-map', parseObjectName, 'the name of a ConfigMap'),
    prefetch: read('prefetch', parseText, 'a comma-separated list of resources'),
    passThrough: read('pass-through', parseText, 'a comma-separated list of paths'),
    identityHeaderSecret: readKey('identity-header-secret', 'identity-header'),
    httpsProxy: read('https-proxy', parseText, 'the URL of a proxy'),
    httpsProxySecret: readKey('https-proxy-secret', 'https-proxy'),
    noProxy: read('no-proxy', parseText, 'a comma-separated list of hosts'),
    usesManagedIdentityOnly:
      read('sdk-credentials', parseSdkCredentials, 'managed-identity') ?? false,
    tokenExpiration: parseFirst(
      [`${AZWI_PREFIX}service-account-token-expiration`],
      (value) => parseWholeNumber(value, { min: 3600, max: 86_400 }),
      'a number of seconds from 3600 to 86400',
    ),
    skipped: new Set(
      parseFirst(
        [`${PREFIX}skip-containers`, `${AZWI_PREFIX}skip-containers`],
        parseList,
        'a list of containers',
      ),
    ),
    problems,
  }
}

/**
 * Returns true if the pod asks for the proxy of azure-workload-identity by the value `true`, and its webhook
 * would not inject that. (That webhook treats any value as true, even "false":
 * Azure/azure-workload-identity#1210.)
 */
function asksForAzwiProxy(pod: Pod): boolean {
  const value = pod.metadata?.annotations?.[`${AZWI_PREFIX}inject-proxy-sidecar`]
  return value === 'true' && !isInjectedByAzwi(pod)
}

/** Returns true if the webhook of azure-workload-identity would inject its own proxy: it selects by this label. */
export function isInjectedByAzwi({ metadata }: Pod): boolean {
  const isSelected = metadata?.labels?.[`${AZWI_PREFIX}use`] === 'true'
  return isSelected && metadata?.annotations?.[`${AZWI_PREFIX}inject-proxy-sidecar`] !== undefined
}

/** Returns a problem for each unknown annotation: a misspelt one would be ignored silently. */
function findUnknownAnnotations(annotations: Readonly<Record<string, string>>): string[] {
  const known: readonly string[] = NAMES
  return Object.keys(annotations)
    .filter((key) => key.startsWith(PREFIX) && !known.includes(key.slice(PREFIX.length)))
    .map((key) => {
      const suggestion = suggest(key.slice(PREFIX.length), NAMES, PREFIX)
      return suggestion === ''
        ? `the annotation ${key} is unknown; known are ${PREFIX}{${NAMES.join(',')}}`
        : `the annotation ${key} is unknown${suggestion}`
    })
}

/** Annotations of which a pod may have one. */
const ALTERNATIVES = [
  ['ca-config-map', 'ca-secret'],
  ['https-proxy', 'https-proxy-secret'],
] as const satisfies readonly Name[][]

function findConflicts(annotations: Readonly<Record<string, string>>): string[] {
  return ALTERNATIVES.map((names) => names.map((name) => PREFIX + name))
    .filter((keys) => keys.every((key) => annotations[key] !== undefined))
    .map((keys) => `the annotations ${keys.join(' and ')} are both set. Fix: remove one`)
}

/** Returns a problem for a proxy URL with a user. It does not repeat the value, which may contain a password. */
function findPassword(annotations: Readonly<Record<string, string>>): string[] {
  const key = `${PREFIX}https-proxy`
  if (annotations[key]?.includes('@') !== true) return []
  return [
    `the annotation ${key} must not contain a user or a password, since annotations are no secrets. Fix: put the URL into a Secret, and name that in ${key}-secret`,
  ]
}

const parseBoolean = (value: string) =>
  value === 'true' ? true : value === 'false' ? false : undefined

const parseMode = (value: string): RoutingMode | undefined =>
  ROUTING_MODES.find((mode) => mode === value)

const MODE_EXPECTED = `one of ${ROUTING_MODES.join(', ')}`

const parsePort = (value: string) => parseWholeNumber(value, { min: 1024, max: 65_535 })

const PORT_EXPECTED = 'a port from 1024 to 65535'

const parseText = (value: string) => (value === '' ? undefined : value)

const parseSdkCredentials = (value: string) => (value === 'managed-identity' ? true : undefined)

/** Splits at commas and, as azure-workload-identity does, at semicolons. */
const parseList = (value: string) =>
  value
    .split(/[,;]/)
    .map((name) => name.trim())
    .filter((name) => name !== '')

/** Returns the greater quantity; the first if it is undefined. */
const maxQuantity = (first: string | undefined, second: string | undefined) =>
  isGreater(second, first) ? second : first
