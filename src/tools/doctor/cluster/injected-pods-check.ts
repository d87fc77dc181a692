/** Checks that each pod that asks for a sidecar has one, unless the pod cannot be injected. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import { inject } from '../../../injection/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { allContainers, GATE, SIDECAR } from '../../../kubernetes/pod.ts'
import { ROUTING_MODES } from '../../../lib/sidecar-interface.ts'
import { ANY_ACCOUNT } from '../dry-run.ts'
import { failed, type Outcome, passed } from '../findings.ts'
import { type ClusterPod, findComponent, listPodNames } from '../pod-object.ts'
import type { ClusterState } from './cluster-state.ts'

/** The components of the chart, which start without the webhook. */
const OWN = new Set(['webhook', 'node-agent', 'test'])

/** Fails for pods that should have been injected. Warns of pods that cannot be injected, with the reason. */
export async function checkInjectedPods(state: ClusterState): Promise<Outcome> {
  const [pods, labelled, reviewed, flag] = await Promise.all([
    state.getPods(),
    state.getLabelledNamespaces(),
    state.getReviewedNamespaces(),
    state.getFlag('mode'),
  ])
  const mode = ROUTING_MODES.find((each) => each === flag) ?? INJECTION_DEFAULTS.mode
  const { injected = [], others = [] } = Object.groupBy(pods, (pod) =>
    allContainers(pod).some(({ name }) => name === SIDECAR || name === GATE)
      ? 'injected'
      : 'others',
  )
  const missing = others.filter((pod) => {
    const { inject: isWanted = labelled.has(pod.metadata.namespace) } = parseAnnotations(pod)
    return isWanted && !OWN.has(findComponent(pod) ?? '')
  })
  /** Returns why the pod would not be injected if it was created again; an empty text if it would be. */
  const explain = (pod: ClusterPod): string => {
    const { namespace, annotations } = pod.metadata
    if (reviewed?.has(namespace) === false) {
      return `the installation leaves out the namespace ${namespace}. Fix: see webhook.namespaceSelector and webhook.excludedNamespaces of the chart, and the label wimds.io/inject of the namespace`
    }
    if (annotations?.['kubernetes.io/config.mirror'] !== undefined) {
      return 'a static pod is not changed by the API server. Fix: set wimds.io/inject: "false"'
    }
    const settings = { ...INJECTION_DEFAULTS, mode, injectByDefault: true }
    const injection = inject({ pod, serviceAccount: ANY_ACCOUNT, settings })
    return injection.kind === 'rejected' ? injection.reasons.join('; ') : ''
  }
  const { '': fixable = [], ...impossible } = Object.groupBy(missing, explain)
  const warnings = Object.entries(impossible).map(
    ([reason, group = []]) => `cannot be injected: ${listPodNames(group)}: ${reason}`,
  )
  const count = `${injected.length} injected`
  if (fixable.length === 0) return { ...passed(count), warnings }
  const fault = {
    code: 'pod_not_injected',
    problem: `these pods should have a sidecar, but have none: ${listPodNames(fixable)}`,
    fix: `${reviewed === undefined ? 'install the chart, and ' : ''}create them again (kubectl rollout restart), since pods are injected when they are created`,
  } as const
  return { ...failed(fault, count), warnings }
}
