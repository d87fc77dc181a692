/** CPU and memory of the injected containers. */
import { allContainers, type Container, type Pod } from './pod.ts'

export interface ResourceSettings {
  readonly cpuRequest: string
  readonly memoryRequest: string
  readonly memoryLimit: string
  /** Undefined: no limit, since a throttled sidecar delays its app. */
  readonly cpuLimit: string | undefined
  /** Request and limit in a Guaranteed pod, which must have a limit: enough to start quickly. */
  readonly guaranteedCpu: string
}

// A type and not an interface: it is assigned to an object with an index signature.
type Resources = {
  readonly requests: { readonly cpu: string; readonly memory: string }
  readonly limits: { readonly cpu?: string; readonly memory: string }
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** Parses a Kubernetes quantity into a number; undefined if it is malformed. */
export function parseQuantity(text: string | number): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(String(text)) ?? []
  const factor = unit === undefined ? undefined : UNITS[unit]
  return factor === undefined ? undefined : Number(amount) * factor
}

/** Returns the resources of an injected container. They keep the pod in its quality-of-service class. */
export function createResources(pod: Pod, settings: ResourceSettings): Resources {
  const { cpuRequest, memoryRequest, memoryLimit, cpuLimit, guaranteedCpu } = settings
  if (isGuaranteed(pod)) {
    const both = { cpu: cpuLimit ?? guaranteedCpu, memory: memoryLimit }
    return { requests: both, limits: both }
  }
  return {
    requests: { cpu: cpuRequest, memory: memoryRequest },
    limits: { ...(cpuLimit !== undefined && { cpu: cpuLimit }), memory: memoryLimit },
  }
}

/** Returns a sentence for each request above its limit, which Kubernetes would reject. */
export function findResourceProblems(settings: ResourceSettings): string[] {
  const pairs = [
    ['cpu', settings.cpuRequest, settings.cpuLimit],
    ['memory', settings.memoryRequest, settings.memoryLimit],
  ] as const
  return pairs
    .filter(([, request, limit]) => limit !== undefined && isGreater(request, limit))
    .map(([kind, request, limit]) => `the ${kind} request ${request} is above its limit ${limit}`)
}

/** Returns true if the first quantity is greater than the second. */
export function isGreater(first: string, second: string): boolean {
  return (parseQuantity(first) ?? 0) > (parseQuantity(second) ?? 0)
}

/** Returns true if every container has limits of CPU and memory, and requests (if any) equal to them. */
function isGuaranteed(pod: Pod): boolean {
  return allContainers(pod).every((container) =>
    ['cpu', 'memory'].every((kind) => hasEqualLimit(container, kind)),
  )
}

function hasEqualLimit({ resources }: Container, kind: string): boolean {
  const limit = resources?.limits?.[kind]
  const request = resources?.requests?.[kind] ?? limit
  return (
    limit !== undefined && request !== undefined && parseQuantity(request) === parseQuantity(limit)
  )
}
