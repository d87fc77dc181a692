/** CPU and memory of the injected containers. */
import { createSchema, reject } from '../../broker/config/parsers.ts'
import { allContainers, type Container, type Pod } from '../../kubernetes/pod.ts'

/** The resources of the injected containers, which do not set one that is undefined. */
export interface ResourceSettings {
  readonly cpuRequest: string | undefined
  readonly memoryRequest: string | undefined
  readonly memoryLimit: string | undefined
  /** Undefined by default, since a throttled sidecar delays its app. */
  readonly cpuLimit: string | undefined
}

/** A cached token costs microseconds of CPU; the memory is Node's and little more. */
export const DEFAULT_RESOURCES: ResourceSettings = {
  cpuRequest: '10m',
  memoryRequest: '64Mi',
  memoryLimit: '128Mi',
  cpuLimit: undefined,
}

/** The least limit in a Guaranteed pod, which must have one: enough to start quickly. */
const GUARANTEED_CPU = '100m'

export type Resources = Container['resources']

/** The suffixes with their exponents: of ten from -9 in steps of three, and of two in steps of ten. */
const DECIMAL = new Map(
  ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].map((unit, index) => [unit, 3 * index - 9]),
)
const BINARY = new Map(
  ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, index) => [unit, 10 * index + 10]),
)

/** Parses a Kubernetes quantity that is not negative into a number; undefined if it is malformed. */
export function parseQuantity(text: string | number): number | undefined {
  const [, amount = '', exponent, unit = ''] =
    /^\+?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+)|([a-zA-Z]*))$/.exec(String(text)) ?? []
  if (amount === '') return undefined
  const binary = BINARY.get(unit)
  if (binary !== undefined) return Number(amount) * 2 ** binary
  const decimal = exponent ?? DECIMAL.get(unit)
  // The result is one number, so that 1005m equals 1.005.
  return decimal === undefined ? undefined : Number(`${amount}e${decimal}`)
}

/** A quantity, as its text. */
export const quantity = createSchema((text) =>
  parseQuantity(text) === undefined ? reject(text, 'a quantity such as 100m or 64Mi') : text,
)

/**
 * Returns the settings without the amounts of CPU or memory for a pod with pod-level resources of that kind: all its
 * containers share them. The API server rejects a pod whose containers request more than `spec.resources` does, which
 * by default is what the pod's own containers request.
 */
export function omitPodLevelResources(settings: ResourceSettings, { spec }: Pod): ResourceSettings {
  const { requests, limits } = spec.resources ?? {}
  const has = (kind: string) => (requests?.[kind] ?? limits?.[kind]) !== undefined
  return {
    ...settings,
    ...(has('cpu') && { cpuRequest: undefined, cpuLimit: undefined }),
    ...(has('memory') && { memoryRequest: undefined, memoryLimit: undefined }),
  }
}

type ResourceName = 'cpu-request' | 'cpu-limit' | 'memory-request' | 'memory-limit'

/**
 * Returns the settings with the amounts that flags or annotations set. A memory request raises the default limit
 * that is below it.
 */
export function overrideResources(
  defaults: ResourceSettings,
  read: (name: ResourceName) => string | undefined,
): ResourceSettings {
  const memoryRequest = read('memory-request') ?? defaults.memoryRequest
  const isAboveLimit = isGreater(memoryRequest, defaults.memoryLimit)
  return {
    ...defaults,
    cpuRequest: read('cpu-request') ?? defaults.cpuRequest,
    cpuLimit: read('cpu-limit') ?? defaults.cpuLimit,
    memoryRequest,
    memoryLimit: read('memory-limit') ?? (isAboveLimit ? memoryRequest : defaults.memoryLimit),
  }
}

/** Returns the resources of an injected container. They keep the pod in its quality-of-service class. */
export function createResources(pod: Pod, settings: ResourceSettings): Resources {
  const { cpuRequest, memoryRequest, memoryLimit, cpuLimit } = settings
  if (isGuaranteed(pod)) {
    const cpu = isGreater(GUARANTEED_CPU, cpuRequest) ? GUARANTEED_CPU : cpuRequest
    const both = { cpu: cpuLimit ?? cpu, memory: memoryLimit }
    return formatResources(both, both)
  }
  return formatResources(
    { cpu: cpuRequest, memory: memoryRequest },
    { cpu: cpuLimit, memory: memoryLimit },
  )
}

type Amounts = Readonly<Record<string, string | number | undefined>>

/** Leaves out undefined and empty members. */
export function formatResources(requests: Amounts, limits: Amounts): Resources {
  const set = Object.entries({ requests, limits }).flatMap(([name, amounts]) => {
    const entries = Object.entries(amounts).filter(([, amount]) => amount !== undefined)
    return entries.length === 0 ? [] : [[name, Object.fromEntries(entries)] as const]
  })
  return Object.fromEntries(set)
}

/** Returns a sentence for each request above its limit, which Kubernetes would reject. */
export function findResourceProblems(settings: ResourceSettings): string[] {
  const pairs = [
    ['cpu', settings.cpuRequest, settings.cpuLimit],
    ['memory', settings.memoryRequest, settings.memoryLimit],
  ] as const
  return pairs
    .filter(([, request, limit]) => isGreater(request, limit))
    .map(([kind, request, limit]) => `the ${kind} request ${request} is above its limit ${limit}`)
}

/** Returns true if both are defined and the first is greater than the second. */
function isGreater(first: string | undefined, second: string | undefined): boolean {
  if (first === undefined || second === undefined) return false
  return (parseQuantity(first) ?? 0) > (parseQuantity(second) ?? 0)
}

/** Returns true if every container has limits of CPU and memory, and requests (if any) equal to them. */
function isGuaranteed(pod: Pod): boolean {
  return allContainers(pod).every((container) =>
    ['cpu', 'memory'].every((kind) => hasEqualLimit(container, kind)),
  )
}

function hasEqualLimit({ resources }: Container, kind: string): boolean {
  const limit = parseQuantity(resources?.limits?.[kind] ?? '') ?? 0
  const request = resources?.requests?.[kind]
  // A limit of zero counts as no limit.
  return limit > 0 && (request === undefined || parseQuantity(request) === limit)
}
