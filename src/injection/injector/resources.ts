/** CPU and memory of the injected containers. */
import { createSchema, reject } from '../../service/parsers.ts'
import { allContainers, type Container, type Pod } from '../../kubernetes/pod.ts'

/** Amounts of CPU and memory. */
type Amounts = Readonly<Record<string, string | number | undefined>>

/** The resources of the injected containers; an absent amount is not set. */
export interface ResourceSettings {
  readonly requests: Amounts
  readonly limits: Amounts
}

/**
 * There is no CPU limit: a cached token costs microseconds of CPU, and a throttled sidecar would delay its app. Most of the memory
 * is Node's own.
 */
export const DEFAULT_RESOURCES: ResourceSettings = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { memory: '128Mi' },
}

/** The CPU limit in a Guaranteed pod, which must have one: enough to start quickly. An annotation or a higher request overrides it. */
const GUARANTEED_CPU = '100m'

export type Resources = Container['resources']

/** The suffixes of quantities, with their exponents of ten (DECIMAL) and of two (BINARY). */
const DECIMAL = new Map(
  ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].map((unit, index) => [unit, 3 * index - 9]),
)
const BINARY = new Map(
  ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, index) => [unit, 10 * index + 10]),
)

/** Parses a Kubernetes quantity into a number. Undefined if it is malformed or negative. */
function parseQuantity(text: string | number): number | undefined {
  const [, amount = '', exponent, unit = ''] =
    /^\+?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+)|([a-zA-Z]*))$/.exec(String(text)) ?? []
  if (amount === '') return undefined
  const binary = BINARY.get(unit)
  if (binary !== undefined) return Number(amount) * 2 ** binary
  const decimal = exponent ?? DECIMAL.get(unit)
  // Not by a multiplication: 1005 * 0.001 is not exactly 1.005.
  return decimal === undefined ? undefined : Number(`${amount}e${decimal}`)
}

/** Accepts a quantity, and returns its text. */
export const quantity = createSchema((text) =>
  parseQuantity(text) === undefined ? reject(text, 'a quantity such as 100m or 64Mi') : text,
)

/**
 * Returns the settings without the amounts of CPU or memory if the pod has pod-level resources of that kind, which all its
 * containers share. The API server rejects a pod whose containers together request more than `spec.resources`, and the request
 * there defaults to the sum of the pod's own containers.
 */
export function omitPodLevelResources(
  { requests, limits }: ResourceSettings,
  { spec }: Pod,
): ResourceSettings {
  const shared = { ...spec.resources?.requests, ...spec.resources?.limits }
  const omit = (amounts: Amounts) =>
    Object.fromEntries(Object.entries(amounts).filter(([kind]) => !(kind in shared)))
  return { requests: omit(requests), limits: omit(limits) }
}

type ResourceName = 'cpu-request' | 'cpu-limit' | 'memory-request' | 'memory-limit'

/**
 * Returns the settings with the amounts that flags or annotations set. A memory request raises the default limit
 * that is below it.
 */
export function overrideResources(
  { requests, limits }: ResourceSettings,
  read: (name: ResourceName) => string | undefined,
): ResourceSettings {
  const memory = read('memory-request') ?? requests['memory']
  const defaultLimit = isGreater(memory, limits['memory']) ? memory : limits['memory']
  return {
    requests: { cpu: read('cpu-request') ?? requests['cpu'], memory },
    limits: {
      cpu: read('cpu-limit') ?? limits['cpu'],
      memory: read('memory-limit') ?? defaultLimit,
    },
  }
}

/** Returns the resources of an injected container. They keep the pod in its quality-of-service class. */
export function createResources(pod: Pod, { requests, limits }: ResourceSettings): Resources {
  if (!isGuaranteed(pod)) return formatResources(requests, limits)
  const isChosen = pod.metadata?.annotations?.['wimds.io/cpu-request'] !== undefined
  const isLow = !isChosen && isGreater(GUARANTEED_CPU, requests['cpu'])
  const cpu = limits['cpu'] ?? (isLow ? GUARANTEED_CPU : requests['cpu'])
  const both = { cpu, memory: limits['memory'] }
  return formatResources(both, both)
}

/** Formats the amounts as `resources` of a container, without undefined and empty members. */
export function formatResources(requests: Amounts, limits: Amounts): Resources {
  const set = Object.entries({ requests, limits }).flatMap(([name, amounts]) => {
    const entries = Object.entries(amounts).filter(([, amount]) => amount !== undefined)
    return entries.length === 0 ? [] : [[name, Object.fromEntries(entries)] as const]
  })
  return Object.fromEntries(set)
}

/** Returns a sentence for each request above its limit, which Kubernetes would reject. */
export function findResourceProblems({ requests, limits }: ResourceSettings): string[] {
  return Object.entries(requests)
    .filter(([kind, request]) => isGreater(request, limits[kind]))
    .map(([kind, request]) => `the ${kind} request ${request} is above its limit ${limits[kind]}`)
}

/** Returns true if both are defined and the first is greater than the second. */
function isGreater(first: Amounts[string], second: Amounts[string]): boolean {
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
