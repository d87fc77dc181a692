/** Pod in, what to change out: the one function behind `wimds inject` and the admission webhook. */
import { INJECTED, parseAnnotations } from './annotations.ts'
import { withAppEnvironment } from './app-environment.ts'
import { type Change, changesBetween, jsonPatch, type Operation } from './changes.ts'
import { redirectContainer, sidecar } from './containers.ts'
import { withFirst } from './merge.ts'
import { withoutOutdated } from './outdated.ts'
import { type Plan, type ServiceAccountAnnotations, planOf } from './plan.ts'
import { type Container, type Pod, SIDECAR, isInjected, parsePod } from './pod.ts'
import { refusalsOf } from './refusals.ts'
import type { InjectionSettings } from './settings.ts'
import { withVolumes } from './volumes.ts'
import { warningsOf } from './warnings.ts'

export interface InjectionRequest {
  /** A pod, or a workload's pod template, as parsed from JSON or YAML. */
  readonly pod: unknown
  readonly serviceAccount: ServiceAccountAnnotations
  readonly settings: InjectionSettings
}

export type Injection =
  /** No changes: the pod is injected already. */
  | {
      readonly kind: 'injected'
      readonly changes: readonly Change[]
      /** The same as a JSON Patch (RFC 6902). */
      readonly patch: readonly Operation[]
      readonly warnings: readonly string[]
    }
  /** The pod opted out, or did not ask. */
  | { readonly kind: 'skipped' }
  /** Every reason, each with what to change. */
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] }

/**
 * Decides what is to change in a pod. Pure; injecting the result again gives no changes, also after
 * others have added to it.
 */
export function inject({ pod: value, serviceAccount, settings }: InjectionRequest): Injection {
  const pod = parsePod(value)
  if (!isPod(pod)) return { kind: 'rejected', reasons: pod }
  const wishes = parseAnnotations(pod, settings)
  const isWanted = wishes.inject ?? settings.isOptOut
  const isReadable = wishes.mistakes.length === 0
  if (wishes.inject === false || (!isWanted && isReadable)) return { kind: 'skipped' }
  const plan = planOf(pod, serviceAccount, wishes, settings)
  const reasons = refusalsOf(pod, plan)
  if (reasons.length > 0) return { kind: 'rejected', reasons }
  const changes = changesBetween(pod, injectedPod(pod, plan))
  return { kind: 'injected', changes, patch: jsonPatch(changes), warnings: warningsOf(pod, plan) }
}

function injectedPod(pod: Pod, plan: Plan): Pod {
  const annotations = { ...pod.metadata?.annotations, [INJECTED]: plan.settings.mode }
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec, ...withContainers(pod, plan), ...withVolumes(pod, plan) },
  }
}

/** The redirect comes first and the sidecar second, so that the pod's init containers are covered. */
function withContainers(pod: Pod, plan: Plan): Partial<Pod['spec']> {
  const { mode, hasNativeSidecars } = plan.settings
  const app = (container: Container) =>
    isInjected(container) || plan.wishes.skipped.has(container.name)
      ? container
      : withAppEnvironment(container, plan)
  const wanted = sidecar(pod, plan)
  const own = (container: Container) =>
    container.name === SIDECAR ? withoutOutdated(container, wanted) : app(container)
  let containers = pod.spec.containers.map(own)
  let initContainers = (pod.spec.initContainers ?? []).map(own)
  if (hasNativeSidecars) initContainers = withFirst(initContainers, wanted, 'name')
  else containers = withFirst(containers, wanted, 'name')
  if (mode !== 'env') {
    initContainers = withFirst(initContainers, redirectContainer(pod, plan), 'name')
  }
  const hasInit = initContainers.length > 0
  return { containers, ...(hasInit && { initContainers }) }
}

function isPod(parsed: Pod | readonly string[]): parsed is Pod {
  return !Array.isArray(parsed)
}
