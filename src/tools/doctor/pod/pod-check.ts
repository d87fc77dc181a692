/** Checks a pod from outside: its spec and status, and then doctor inside the container of its sidecar. */
import { type Container, GATE, REDIRECT } from '../../../kubernetes/pod.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { VERSION } from '../../../lib/version.ts'
import { type Finding, parseReport, type Sections } from '../doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  failed,
  type Fault,
  notChecked,
  notNeeded,
  passed,
} from '../findings.ts'
import type { Kubectl, KubectlResult } from '../kubectl.ts'
import {
  type ClusterPod,
  execInPod,
  findAppContainers,
  findContainer,
  findMode,
  findSidecarContainer,
} from '../pod-object.ts'
import { checkApplication, checkAppVariables, checkProxy } from './app-checks.ts'
import { checkInitContainer, checkSidecarContainer } from './container-state.ts'
import { findPod } from './find-pod.ts'
import { checkNodeAgent } from './node-agent-check.ts'
import type { PodTarget } from './pod-target.ts'
import type { ForwardPort } from './port-forward.ts'

interface PodOptions {
  /** Runs in the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly forwardPort: ForwardPort
  readonly target: PodTarget
  /** Undefined: the one of the pod's injection. */
  readonly mode: RoutingMode | undefined
  /** More arguments of doctor inside. */
  readonly args: readonly string[]
}

/** Returns the checks of the pod. A check that fails is reported, not thrown. */
export async function checkPod(options: PodOptions): Promise<Sections> {
  const { kubectl, target } = options
  const { namespace } = target
  const pod = await catchEnd(() => findPod(kubectl, target))
  if (pod instanceof CheckEnd) {
    const checks = [createFinding('pod', pod.outcome), leaveOutInside('the pod was not read')]
    return { namespace, pod: target.name, checks }
  }
  const { name } = pod.metadata
  const phase = passed(`exists, in phase ${pod.status.phase ?? 'Unknown'}`)
  const found = createFinding('pod', phase, name === target.name ? undefined : name)
  const gate = findContainer(pod, GATE)
  const { checks, inside } =
    gate === undefined
      ? await checkPodWithSidecar(pod, options)
      : { checks: await checkPodOfNode(pod, gate, options) }
  return { namespace, pod: name, checks: [found, ...checks], ...(inside && { inside }) }
}

/** Checks a pod of mode node, which has no sidecar. */
async function checkPodOfNode(
  pod: ClusterPod,
  gate: Container,
  options: PodOptions,
): Promise<Finding[]> {
  const state = checkInitContainer(pod, 'gate')
  const apps = findAppContainers(pod, gate)
  return [
    ...checkApplication(pod, apps),
    createFinding('gate', state),
    createFinding('sdk_variables', notNeeded('not needed in mode node')),
    ...(await checkProxy(pod, apps, 'node', options.kubectl)),
    ...(await checkNodeAgent({ ...options, pod, isServed: state.status === 'ok' })),
  ]
}

async function checkPodWithSidecar(
  pod: ClusterPod,
  { kubectl, mode: given, args }: PodOptions,
): Promise<Pick<Sections, 'checks' | 'inside'>> {
  const sidecar = findSidecarContainer(pod)
  if (sidecar === undefined) {
    const missing = createFinding('sidecar_container', failed(explainMissingSidecar(pod)))
    return { checks: [missing, leaveOutInside('the pod has no sidecar')] }
  }
  const mode = given ?? findMode(sidecar)
  const container = checkSidecarContainer(pod, sidecar.name)
  const apps = findAppContainers(pod, sidecar)
  const checks = [
    createFinding('sidecar_container', container),
    ...checkApplication(pod, apps),
    ...(findContainer(pod, REDIRECT) === undefined
      ? []
      : [createFinding('redirect', checkInitContainer(pod, 'redirect'))]),
    createFinding('sdk_variables', checkAppVariables(pod, sidecar, mode)),
  ]
  if (container.status !== 'ok') {
    const reason = `the container ${sidecar.name} is not running`
    return { checks: [...checks, leaveOutInside(reason)] }
  }
  checks.push(...(await checkProxy(pod, apps, mode, kubectl)))
  const command = ['wimds', 'doctor', '--output=json', ...(mode ? [`--mode=${mode}`] : []), ...args]
  const result = await execInPod(kubectl, pod, sidecar.name, command)
  const inside = parseReport(result.stdout)
  if (inside !== undefined) return { checks, inside }
  const unread = failed(explainExec(result, sidecar.name))
  return { checks: [...checks, createFinding('doctor_inside', unread)] }
}

/** Returns the check that stands for all checks inside the pod. */
function leaveOutInside(reason: string): Finding {
  return createFinding('doctor_inside', notChecked(reason))
}

/** Explains a pod without a sidecar by the annotations, which say whether the sidecar was requested. */
function explainMissingSidecar({ metadata }: ClusterPod): Fault {
  const annotations = Object.keys(metadata.annotations ?? {})
  const asks = annotations.find((key) => /^wimds\.io\/|\/inject-proxy-sidecar$/.test(key))
  const [problem, fix] =
    asks === undefined
      ? [
          'the pod has no container wimds, and no annotation asks for it',
          'add the annotation wimds.io/inject: "true" to the pod template, or run wimds inject on its manifest, and create the pod again',
        ]
      : [
          `the pod has the annotation ${asks}, but no container wimds: no webhook has injected it`,
          'install the chart, and create the pod again: the webhook injects pods when they are created. helm test shows whether it answers; the label wimds.io/inject: "false" of the namespace excludes its pods',
        ]
  return { code: 'pod_not_injected', problem, fix }
}

/** Explains why doctor in the container of the sidecar printed no report. */
function explainExec({ code, reason, fault }: KubectlResult, container: string): Fault {
  if (code === undefined) return fault
  return {
    code: 'kubectl_failed',
    problem: `doctor in the container ${container} ended with exit code ${code}, and printed no report of this version: ${reason}`,
    fix: `use an image of wimds ${VERSION} for the sidecar, and a user who may create pods/exec in the namespace; for exit code 137 raise the memory limit (the annotation wimds.io/memory-limit)`,
  }
}
