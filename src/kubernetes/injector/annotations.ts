/** The pod's annotations, ours and the incumbent's, read into typed values. */
import type { Pod } from './pod.ts'
import { isMore, quantity } from './resources.ts'
import { type InjectionSettings, ROUTING_MODES, type RoutingMode } from './settings.ts'

const PREFIX = 'wimds.io/'
const INCUMBENT = 'azure.workload.identity/'

/** The record that the injector leaves, with the mode: what it finds of its own is its own. */
export const INJECTED = `${PREFIX}injected`

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
  'cpu-request',
  'cpu-limit',
  'memory-request',
  'memory-limit',
  'skip-containers',
] as const
type Name = (typeof NAMES)[number]

/** What a pod says about its own injection. */
export interface PodOptions {
  /** True and false as annotated, undefined where nothing is said. */
  readonly inject: boolean | undefined
  /** The mode in which it was injected before. */
  readonly injected: string | undefined
  readonly settings: Pick<InjectionSettings, 'mode' | 'port' | 'adminPort' | 'resources'>
  /** A ConfigMap with a key `identities.yaml`. */
  readonly configMap: string | undefined
  readonly prefetch: string | undefined
  /** Paths of the real IMDS that the sidecar may pass on. */
  readonly passThrough: string | undefined
  readonly identityHeaderSecret: { readonly name: string; readonly key: string } | undefined
  /** Containers whose environment is left alone. */
  readonly skipped: ReadonlySet<string>
  readonly mistakes: readonly string[]
}

/** Reads the annotations; what they do not say is as in the settings. */
export function parseAnnotations(pod: Pod, defaults: InjectionSettings): PodOptions {
  const annotations = pod.metadata?.annotations ?? {}
  const mistakes = unknownNames(annotations)
  const read = <T>(name: Name, parse: (text: string) => T | undefined, what: string) =>
    readOne(annotations, [PREFIX + name], parse, what, mistakes)
  const amount = (name: Name) =>
    read(name, (value) => (quantity(value) === undefined ? undefined : value), 'a quantity')
  const memoryRequest = amount('memory-request') ?? defaults.resources.memoryRequest
  const cpuRequest = amount('cpu-request')
  const ports = 'a port from 1024 to 65535'
  return {
    inject: read('inject', boolean, 'true or false') ?? incumbentAsks(pod),
    injected: annotations[INJECTED],
    settings: {
      mode: read('mode', routingMode, `one of ${ROUTING_MODES.join(', ')}`) ?? defaults.mode,
      port:
        readOne(
          annotations,
          [`${PREFIX}port`, `${INCUMBENT}proxy-sidecar-port`],
          port,
          ports,
          mistakes,
        ) ?? defaults.port,
      adminPort: read('admin-port', port, ports) ?? defaults.adminPort,
      resources: {
        cpuRequest: cpuRequest ?? defaults.resources.cpuRequest,
        cpuLimit: amount('cpu-limit') ?? defaults.resources.cpuLimit,
        memoryRequest,
        memoryLimit:
          amount('memory-limit') ?? larger(defaults.resources.memoryLimit, memoryRequest),
        guaranteedCpu: cpuRequest ?? defaults.resources.guaranteedCpu,
      },
    },
    configMap: read('config-map', text, 'the name of a ConfigMap'),
    prefetch: read('prefetch', text, 'a comma-separated list of resources'),
    passThrough: read('pass-through', text, 'a comma-separated list of paths'),
    identityHeaderSecret: read('identity-header-secret', secretKey, 'NAME or NAME/KEY of a Secret'),
    skipped: new Set(
      readOne(
        annotations,
        [`${PREFIX}skip-containers`, `${INCUMBENT}skip-containers`],
        names,
        'a list of containers',
        mistakes,
      ),
    ),
    mistakes,
  }
}

/**
 * True if the pod asks for the incumbent's proxy by a true value. (Its webhook takes any value for
 * a yes, even "false": Azure/azure-workload-identity#1210.)
 */
function incumbentAsks(pod: Pod): true | undefined {
  const asks = pod.metadata?.annotations?.[`${INCUMBENT}inject-proxy-sidecar`] === 'true'
  return asks && !incumbentActs(pod) ? true : undefined
}

/** True if the incumbent's webhook would inject its own proxy: its selector wants this label. */
export function incumbentActs({ metadata }: Pod): boolean {
  const isSelected = metadata?.labels?.[`${INCUMBENT}use`] === 'true'
  return isSelected && metadata?.annotations?.[`${INCUMBENT}inject-proxy-sidecar`] !== undefined
}

function readOne<T>(
  annotations: Readonly<Record<string, string>>,
  names: readonly string[],
  parse: (text: string) => T | undefined,
  what: string,
  mistakes: string[],
): T | undefined {
  const name = names.find((candidate) => annotations[candidate] !== undefined)
  const value = name === undefined ? undefined : annotations[name]
  if (name === undefined || value === undefined) return undefined
  const parsed = parse(value.trim())
  if (parsed === undefined) {
    mistakes.push(`the annotation ${name} must be ${what}, not ${JSON.stringify(value)}`)
  }
  return parsed
}

/** A misspelt annotation would be ignored without a word; so it is refused. */
function unknownNames(annotations: Readonly<Record<string, string>>): string[] {
  const known: readonly string[] = NAMES
  return Object.keys(annotations)
    .filter((key) => key.startsWith(PREFIX) && !known.includes(key.slice(PREFIX.length)))
    .map((key) => `the annotation ${key} is unknown; known are ${PREFIX}{${NAMES.join(',')}}`)
}

const boolean = (value: string) => (value === 'true' ? true : value === 'false' ? false : undefined)

const routingMode = (value: string): RoutingMode | undefined =>
  ROUTING_MODES.find((mode) => mode === value)

const port = (value: string) => {
  const number = Number(value)
  return /^\d+$/.test(value) && number >= 1024 && number <= 65_535 ? number : undefined
}

const text = (value: string) => (value === '' ? undefined : value)

/** Separated by commas or, as the incumbent writes them, by semicolons. */
const names = (value: string) =>
  value
    .split(/[,;]/)
    .map((name) => name.trim())
    .filter((name) => name !== '')

function secretKey(value: string) {
  const [name, key = 'identity-header', ...rest] = value.split('/')
  return name && key && rest.length === 0 ? { name, key } : undefined
}

const larger = (one: string, other: string) => (isMore(other, one) ? other : one)
