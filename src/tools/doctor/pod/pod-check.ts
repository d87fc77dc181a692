/** Checks a pod from outside: its specification and state by kubectl, and then its status document. */
import { type Container, GATE, REDIRECT } from '../../../kubernetes/pod.ts'
import { scrub } from '../../../lib/secret.ts'
import { DEFAULT_ADMIN_PORT } from '../../../lib/sidecar-interface.ts'
import type { Finding, Sections } from '../doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  endUnmade,
  failed,
  type Fault,
  notNeeded,
  type Outcome,
  passed,
  runCheck,
} from '../findings.ts'
import { type Kubectl, requireKubectl } from '../kubectl.ts'
import {
  type ClusterPod,
  DROP_IN,
  findAppContainers,
  findContainer,
  findMode,
  findSettingOf,
  findSidecarContainer,
} from '../pod-object.ts'
import { checkStatus } from '../status-checks.ts'
import { checkAppVariables, checkProxy } from './app-checks.ts'
import { checkInitContainer, checkSidecarContainer, joinTexts } from './container-state.ts'
import { findPod } from './find-pod.ts'
import { checkNodeAgent } from './node-agent-check.ts'
import type { PodTarget } from './pod-target.ts'
import type { ReadForwarded } from './port-forward.ts'

interface PodOptions {
  /** A kubectl with the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly readForwarded: ReadForwarded
  readonly target: PodTarget
}

/** Returns the checks of the pod. A check that fails is reported, not thrown. */
export async function checkPod(options: PodOptions): Promise<Sections> {
  const { kubectl, target } = options
  const { namespace } = target
  const pod = await catchEnd(() => findPod(kubectl, target))
  if (pod instanceof CheckEnd) {
    const missing = createFinding('pod', requireKubectl(pod))
    return { namespace, pod: target.name, checks: [missing] }
  }
  const { name } = pod.metadata
  const found = createFinding('pod', describePod(pod), name === target.name ? undefined : name)
  const gate = findContainer(pod, GATE)
  const { settings, checks } =
    gate === undefined
      ? await checkPodWithSidecar(pod, options)
      : await checkPodOfNode(pod, gate, options)
  return { namespace, pod: name, settings, checks: [found, ...checks] }
}

/** Returns the phase of the pod, with the reason if it has ended, such as an eviction, or has no node. */
function describePod({ status }: ClusterPod): Outcome {
  const { phase = 'Unknown', reason, message, conditions = [] } = status
  const unscheduled = conditions.find(
    (each) => each.type === 'PodScheduled' && each.status === 'False',
  )
  const found = joinTexts(`exists, in phase ${phase}`, reason, message, unscheduled?.message)
  return passed(scrub(found))
}

/** Checks a pod of mode node, which has no sidecar. */
async function checkPodOfNode(
  pod: ClusterPod,
  gate: Container,
  options: PodOptions,
): Promise<Sections> {
  const state = checkInitContainer(pod, 'gate')
  const apps = findAppContainers(pod, gate)
  const checks = [
    createFinding('gate', state),
    createFinding('sdk_variables', notNeeded('not needed in mode node')),
    await runCheck('application_proxy', () => checkProxy(pod, apps, 'node', options.kubectl)),
  ]
  const served = await checkNodeAgent({ ...options, pod, isServed: state.status === 'ok' })
  return { ...served, checks: [...checks, ...served.checks] }
}

async function checkPodWithSidecar(
  pod: ClusterPod,
  { kubectl, readForwarded }: PodOptions,
): Promise<Sections> {
  const sidecar = findSidecarContainer(pod)
  if (sidecar === undefined) {
    return { checks: [createFinding('sidecar_container', failed(explainMissingSidecar(pod)))] }
  }
  const mode = findMode(sidecar)
  const container = checkSidecarContainer(pod, sidecar.name)
  const apps = findAppContainers(pod, sidecar)
  const checks: Finding[] = [
    createFinding('sidecar_container', container),
    ...(findContainer(pod, REDIRECT) === undefined
      ? []
      : [createFinding('redirect', checkInitContainer(pod, 'redirect'))]),
    createFinding('sdk_variables', checkAppVariables(pod, sidecar, mode)),
  ]
  if (container.status !== 'ok') return { checks }
  checks.push(await runCheck('application_proxy', () => checkProxy(pod, apps, mode, kubectl)))
  const status = await catchEnd(() => readSidecarStatus(readForwarded, pod, sidecar))
  return status instanceof CheckEnd
    ? { checks: [...checks, createFinding('status', status.outcome)] }
    : { settings: status.settings, checks: [...checks, ...checkStatus(status)] }
}

/** Reads the status of a sidecar at its admin port. Ends the check as not made if it has no status. */
async function readSidecarStatus(
  readForwarded: ReadForwarded,
  pod: ClusterPod,
  sidecar: Container,
) {
  const { namespace, name } = pod.metadata
  // Doctor does not know the flag --proxy-port of a drop-in.
  const flag = sidecar.name === DROP_IN ? ' --no-sidecar' : ''
  const inside = `Fix: run the checks inside the pod: kubectl exec --namespace ${namespace} ${name} -c ${sidecar.name} -- wimds doctor${flag}`
  const listen = findSettingOf(sidecar, 'WIMDS_ADMIN_LISTEN')
  if (listen === 'off') return endUnmade('the sidecar has no admin port', inside)
  const [, port = DEFAULT_ADMIN_PORT] = /:(\d+)(?:,|$)/.exec(listen ?? '') ?? []
  const status = await catchEnd(() => readForwarded({ namespace, name, port: Number(port) }))
  if (!(status instanceof CheckEnd) && status !== undefined) return status
  const { reason = '' } = status?.outcome ?? {}
  return endUnmade(reason || 'the sidecar has no status page', inside)
}

/** Explains a pod without a sidecar, with the annotation by which it asks for one. */
function explainMissingSidecar({ metadata }: ClusterPod): Fault {
  const annotations = Object.keys(metadata.annotations ?? {})
  const asks = annotations.find((key) => /^wimds\.io\/|\/inject-proxy-sidecar$/.test(key))
  return {
    code: 'pod_not_injected',
    problem: `the pod has no container wimds, ${asks === undefined ? 'and no annotation asks for it' : `though it has the annotation ${asks}`}`,
    fix: `${metadata.annotations?.['wimds.io/inject'] === 'true' ? 'create' : 'add the annotation wimds.io/inject: "true" to the pod template, and create'} the pod again: the webhook injects pods when they are created. wimds doctor --cluster shows whether it does; the label wimds.io/inject: "false" of the namespace excludes its pods. Without the webhook, run wimds inject on the manifest`,
  }
}
