/** CPU and memory of the injected containers. */
import { type Container, type Pod, ownContainers } from './pod.ts'

export interface ResourceSettings {
  readonly cpuRequest: string
  readonly memoryRequest: string
  readonly memoryLimit: string
  /** Undefined: no limit, since a throttled sidecar makes its app wait. */
  readonly cpuLimit: string | undefined
  /** Request and limit in a Guaranteed pod, where there must be a limit: enough to start with. */
  readonly guaranteedCpu: string
}

// A type, since it goes where any further field may stand.
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

/** The number a Kubernetes quantity stands for, or undefined if it is none. */
export function quantity(text: string | number): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(String(text)) ?? []
  const factor = unit === undefined ? undefined : UNITS[unit]
  return factor === undefined ? undefined : Number(amount) * factor
}

/** What the injected containers ask for, such that the pod stays in its quality-of-service class. */
export function resourcesFor(pod: Pod, settings: ResourceSettings): Resources {
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

/** A sentence for each request above its limit, which Kubernetes would refuse. */
export function resourceMistakes(settings: ResourceSettings): string[] {
  const pairs = [
    ['cpu', settings.cpuRequest, settings.cpuLimit],
    ['memory', settings.memoryRequest, settings.memoryLimit],
  ] as const
  return pairs
    .filter(([, request, limit]) => limit !== undefined && isMore(request, limit))
    .map(([what, request, limit]) => `the ${what} request ${request} is above its limit ${limit}`)
}

/** True if the first quantity is more than the second. */
export function isMore(one: string, other: string): boolean {
  return (quantity(one) ?? 0) > (quantity(other) ?? 0)
}

/** Guaranteed: every container has limits of both, and requests (if any) equal to them. */
function isGuaranteed(pod: Pod): boolean {
  return ownContainers(pod).every((container) =>
    ['cpu', 'memory'].every((what) => isPinned(container, what)),
  )
}

function isPinned({ resources }: Container, what: string): boolean {
  const limit = resources?.limits?.[what]
  const request = resources?.requests?.[what] ?? limit
  return limit !== undefined && request !== undefined && quantity(request) === quantity(limit)
}
