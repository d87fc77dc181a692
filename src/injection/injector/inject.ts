/** Injects the sidecar into a pod: the one function behind `wimds inject` and the admission webhook. */
import { isDeepStrictEqual } from 'node:util'
import { parseAnnotations, PREFIX } from './annotations.ts'
import { addAppEnvironment } from './app-environment.ts'
import { createContainers, createVolumes } from './containers.ts'
import { keepPluginDefaults } from './keep-plugin-defaults.ts'
import { findUnrecorded, formatRecord, INJECTED, readRecord } from './injection-record.ts'
import { removeInjection } from './uninject.ts'
import { createPlan, type Plan } from './injection-plan.ts'
import { listFound } from '../../lib/printable.ts'
import type { ServiceAccountAnnotations } from '../../kubernetes/service-account.ts'
import { type Container, parsePod, type Pod } from '../../kubernetes/pod.ts'
import { checkPod } from './rejections.ts'
import type { InjectionSettings } from './injection-settings.ts'

export interface InjectionRequest {
  /** A pod, or a workload's pod template, as parsed from JSON or YAML. */
  readonly pod: unknown
  readonly serviceAccount: ServiceAccountAnnotations
  readonly settings: InjectionSettings
  /** If true, rejects a pod that would keep the mode of an earlier injection although the settings have another mode. */
  readonly requiresMode?: boolean
  /**
   * True in the webhook. Between two calls of the webhook, admission plugins of the API server change the injected containers.
   * Afterwards the plugins validate these.
   */
  readonly isAdmission?: boolean
}

export type Injection =
  | {
      readonly kind: 'injected'
      readonly pod: Pod
      /** A JSON Patch (RFC 6902); empty if the pod is injected already. */
      readonly patch: readonly Operation[]
      readonly warnings: readonly string[]
    }
  /** The pod opted out, or did not opt in. */
  | { readonly kind: 'skipped'; readonly warnings: readonly string[] }
  /** Every reason, each with its fix. */
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] }

/** One operation of the JSON Patch. `add` replaces a member that is there already (RFC 6902 §4.1). */
export interface Operation {
  readonly op: 'add'
  readonly path: string
  readonly value: unknown
}

/**
 * Injects the sidecar. Pure and idempotent: removes first what an earlier injection added, so the result is the same as for a new
 * pod, even if somebody else has changed the injected containers.
 */
export function inject({
  pod: value,
  serviceAccount,
  settings: defaults,
  requiresMode = false,
  isAdmission = false,
}: InjectionRequest): Injection {
  const problems: string[] = []
  const pod = parsePod(value, problems)
  if (pod === undefined) return { kind: 'rejected', reasons: problems }
  const settings = parseAnnotations(pod, defaults)
  const isWanted = settings.inject ?? settings.injectByDefault
  if (settings.inject === false) return { kind: 'skipped', warnings: [] }
  if (!isWanted && settings.problems.length === 0) {
    return { kind: 'skipped', warnings: findIneffective(pod) }
  }
  const unrecorded = findUnrecorded(pod)
  if (unrecorded !== undefined) {
    // A pod with a record of another version has been injected.
    return isAdmission && pod.metadata?.annotations?.[INJECTED] !== undefined
      ? { kind: 'skipped', warnings: [unrecorded] }
      : { kind: 'rejected', reasons: [unrecorded] }
  }
  const record = readRecord(pod)
  const original = record === undefined ? pod : removeInjection(pod, record)
  const plan = createPlan(original, serviceAccount, settings)
  const { rejections, warnings } = checkPod(original, plan)
  const reasons = [
    ...rejections,
    ...listFound(
      requiresMode &&
        settings.keepsEarlierMode &&
        `the pod was injected in mode ${settings.mode}, but mode ${defaults.mode} is requested. Fix: set the annotation wimds.io/mode: ${defaults.mode}, or leave --mode out`,
    ),
  ]
  if (reasons.length > 0) return { kind: 'rejected', reasons }
  const injected = addInjection(original, plan, isAdmission ? pod : undefined)
  const patch = createPatch(pod, injected)
  const patchBytes = Buffer.byteLength(JSON.stringify(patch))
  if (patchBytes > MAX_PATCH_BYTES) {
    const reason = `the patch would have ${patchBytes} bytes, but the limit is ${MAX_PATCH_BYTES}. Fix: move large values of the pod into a ConfigMap`
    return { kind: 'rejected', reasons: [reason] }
  }
  return { kind: 'injected', pod: injected, patch, warnings }
}

/** Returns a warning if a pod that does not opt in has annotations, unless `wimds inject` has injected it. */
function findIneffective({ metadata }: Pod): string[] {
  const names = Object.keys(metadata?.annotations ?? {}).filter((name) => name.startsWith(PREFIX))
  if (names.length === 0 || names.includes(INJECTED)) return []
  return [
    `the pod is not injected, so its annotations have no effect: ${names.join(', ')}. Fix: set ${PREFIX}inject: "true"`,
  ]
}

/** The patch repeats the pod's containers, and the API server stores no object above 1.5 MiB. */
const MAX_PATCH_BYTES = 2 ** 20

/**
 * Injects a pod from which an earlier injection has been removed. `before` is the pod before that removal, from which the defaults
 * of admission plugins are kept. Undefined for a manifest, in which no plugin has set any.
 */
function addInjection(pod: Pod, plan: Plan, before: Pod | undefined): Pod {
  const addEnvironment = (container: Container) => addAppEnvironment(container, plan)
  const volumes = [...(pod.spec.volumes ?? []), ...createVolumes(plan)]
  const spec = {
    ...pod.spec,
    containers: pod.spec.containers.map(addEnvironment),
    // First, so that the pod's own init containers have the sidecar and the route to it.
    initContainers: [
      ...createContainers(pod, plan).map((container) =>
        before === undefined ? container : keepPluginDefaults(container, before),
      ),
      ...(pod.spec.initContainers ?? []).map(addEnvironment),
    ],
    ...((pod.spec.volumes || volumes.length > 0) && { volumes }),
  }
  const record = formatRecord(plan.settings.mode, pod, { spec })
  const annotations = { ...pod.metadata?.annotations, [INJECTED]: record }
  return { ...pod, metadata: { ...pod.metadata, annotations }, spec }
}

/** Creates a patch that sets each changed part of the pod as a whole. */
function createPatch(before: Pod, after: Pod): Operation[] {
  const parts = [
    ['/metadata/annotations', before.metadata?.annotations, after.metadata?.annotations],
    ['/spec/initContainers', before.spec.initContainers, after.spec.initContainers],
    ['/spec/containers', before.spec.containers, after.spec.containers],
    ['/spec/volumes', before.spec.volumes, after.spec.volumes],
  ] as const
  const operations = parts
    .filter(([, old, value]) => !isDeepStrictEqual(old, value))
    .map(([path, , value]) => ({ op: 'add' as const, path, value }))
  if (before.metadata != null) return operations
  return [{ op: 'add', path: '/metadata', value: {} }, ...operations]
}
