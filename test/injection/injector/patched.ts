/** Applies JSON Patches (RFC 6902) independently of the code under test. */
import {
  inject,
  type InjectionRequest,
  type Operation,
} from '../../../src/injection/injector/inject.ts'
import type { Pod } from '../../../src/kubernetes/pod.ts'
import {
  INJECTION_DEFAULTS,
  type InjectionSettings,
} from '../../../src/injection/injector/injection-settings.ts'

export const TENANT = '22222222-2222-4222-8222-222222222222'
export const CLIENT = '11111111-1111-4111-8111-111111111111'

export const SERVICE_ACCOUNT = {
  'azure.workload.identity/client-id': CLIENT,
  'azure.workload.identity/tenant-id': TENANT,
}

/** Returns settings with which every pod is injected. */
export function settings(more: Partial<InjectionSettings> = {}): InjectionSettings {
  const images = {
    image: 'wimds:test',
    redirectImage: 'wimds-redirect:test',
    gateImage: 'wimds-gate:test',
  }
  return { ...INJECTION_DEFAULTS, ...images, injectByDefault: true, ...more }
}

export const APP: TestContainer = { name: 'app', image: 'app:1' }

/** Returns a pod with these annotations, and these fields of its spec. */
export const pod = (annotations: Readonly<Record<string, string>> = {}, spec: object = {}) => ({
  metadata: { annotations },
  spec: { containers: [APP], ...spec },
})

/** Returns a request for the pod, with an annotated ServiceAccount. */
export function request(
  given: unknown,
  more: Partial<InjectionSettings> = {},
  fields: Partial<InjectionRequest> = {},
): InjectionRequest {
  return { pod: given, serviceAccount: SERVICE_ACCOUNT, settings: settings(more), ...fields }
}

/** Returns the patch that injects the pod. Throws if it is rejected or skipped. */
export function patchFor(
  given: unknown,
  more: Partial<InjectionSettings> = {},
  fields: Partial<InjectionRequest> = {},
): Operation[] {
  const injection = inject(request(given, more, fields))
  if (injection.kind !== 'injected') throw new Error(JSON.stringify(injection))
  return [...injection.patch]
}

/** Returns the pod with the patch applied. */
export function injected(
  given: object,
  more: Partial<InjectionSettings> = {},
  fields: Partial<InjectionRequest> = {},
): InjectedPod {
  const result = applyPatch(given, patchFor(given, more, fields))
  if (!isInjectedPod(result)) throw new Error(`no pod: ${JSON.stringify(result)}`)
  return result
}

/** Returns the reasons for which the pod is rejected. */
export function reasonsFor(
  given: unknown,
  more: Partial<InjectionSettings> = {},
): readonly string[] {
  const injection = inject(request(given, more))
  return injection.kind === 'rejected' ? injection.reasons : []
}

export function applyPatch(document: unknown, patch: readonly Operation[]): unknown {
  const result = structuredClone(document)
  for (const { path, value } of patch) {
    const keys = path.slice(1).split('/')
    const last = keys.pop() ?? ''
    const parent = keys.reduce<unknown>((at, key) => isObject(at) && Reflect.get(at, key), result)
    if (!isObject(parent)) throw new Error(`${path} has no parent`)
    if (Array.isArray(parent)) throw new Error(`${path} is an element of a list`)
    Reflect.set(parent, last, structuredClone(value))
  }
  return result
}

export type TestContainer = Pod['spec']['containers'][number]

/** An injected pod, which has annotations. */
export interface InjectedPod extends Pod {
  readonly metadata: { readonly annotations: Record<string, string> }
}

/** Returns the container or init container of that name. */
export function containerOf({ spec }: InjectedPod, name: string): TestContainer {
  const all = [...(spec.initContainers ?? []), ...spec.containers]
  const found = all.find((container) => container.name === name)
  if (found === undefined) throw new Error(`no container ${name}`)
  return found
}

/** Returns the container's variables. */
export function envOf(of: InjectedPod, name: string): Record<string, unknown> {
  const env = containerOf(of, name).env ?? []
  return Object.fromEntries(env.map((entry) => [entry.name, entry['value'] ?? entry['valueFrom']]))
}

function isInjectedPod(value: unknown): value is InjectedPod {
  return isObject(value) && 'metadata' in value && 'spec' in value
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
