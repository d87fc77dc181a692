/** Checks a pod from outside: its spec and status, and then doctor inside the container of its sidecar. */
import type { Container, Pod } from '../../../kubernetes/pod.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { VERSION } from '../../../lib/version.ts'
import { parseReport, type Sections } from '../doctor-report.ts'
import { createFinding, failed, type Fault, notChecked, passed } from '../findings.ts'
import type { Kubectl, KubectlResult } from '../kubectl.ts'
import { checkAppVariables } from './app-variables.ts'
import { checkApplication, checkInitContainer, checkSidecarContainer } from './container-state.ts'
import { findPod } from './find-pod.ts'
import { checkNodeAgent } from './node-agent-check.ts'
import { checkServedPod, leaveOutServedPod } from './served-pod-check.ts'
import {
  type ClusterPod,
  findAppContainers,
  findGate,
  findMode,
  findRedirectContainer,
  findSidecarContainer,
  findStatus,
} from '../pod-object.ts'
import type { PodTarget } from './pod-target.ts'
import type { ForwardPort } from './port-forward.ts'
import { checkProxy } from './proxy-check.ts'

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
  const { kubectl, target, args } = options
  const { namespace } = target
  const report: Sections = { namespace, pod: target.name, checks: [] }
  const add = (...finding: Parameters<typeof createFinding>) =>
    report.checks.push(createFinding(...finding))
  const stop = (reason: string) => {
    // The check stands for all checks inside the pod.
    add('doctor_inside', notChecked(reason))
    return report
  }

  const cluster = await findPod(kubectl, target)
  if ('code' in cluster) {
    add('pod', failed(cluster))
    return stop('the pod was not read')
  }
  const { pod, name, status } = cluster
  report.pod = name
  const subject = name === target.name ? undefined : name
  add('pod', passed(`exists, in phase ${status.phase ?? 'Unknown'}`), subject)
  const logs = (container: string) => formatLogsCommand({ namespace, name }, cluster, container)
  const exec = (each: string, ...words: readonly string[]) =>
    kubectl(['exec', name, `--container=${each}`, '--', ...words])
  const addApplication = (own: Container) => {
    const application = checkApplication(cluster, findAppContainers(pod, own), logs)
    if (application !== undefined) add('application', application)
  }
  const gate = findGate(pod)
  if (gate !== undefined) {
    addApplication(gate)
    const state = checkInitContainer(cluster, 'gate', logs(gate.name))
    add('gate', state)
    add('sdk_variables', checkAppVariables(pod, gate, 'node'))
    const { outcome, status: served } = await checkNodeAgent({
      ...options,
      cluster,
      isServed: state.status === 'ok',
    })
    add('node_agent', outcome)
    const proxy = await checkProxy(pod, gate, 'node', exec)
    if (proxy !== undefined) add('application_proxy', proxy)
    const isRead = !('reason' in served)
    report.checks.push(...(isRead ? checkServedPod(served) : leaveOutServedPod(served.reason)))
    return report
  }
  const sidecar = findSidecarContainer(pod)
  if (sidecar === undefined) {
    add('sidecar_container', failed(explainMissingSidecar(pod)))
    return stop('the pod has no sidecar')
  }
  const mode = options.mode ?? findMode(pod)
  const redirect = findRedirectContainer(pod)
  const container = checkSidecarContainer(cluster, sidecar.name, logs(sidecar.name))
  add('sidecar_container', container)
  addApplication(sidecar)
  if (redirect !== undefined) {
    add('redirect', checkInitContainer(cluster, 'redirect', logs(redirect.name)))
  }
  add('sdk_variables', checkAppVariables(pod, sidecar, mode))
  if (container.status !== 'ok') return stop(`the container ${sidecar.name} is not running`)
  const proxy = await checkProxy(pod, sidecar, mode, exec)
  if (proxy !== undefined) add('application_proxy', proxy)
  const command = ['wimds', 'doctor', '--output=json', ...(mode ? [`--mode=${mode}`] : []), ...args]
  const result = await exec(sidecar.name, ...command)
  const inside = parseReport(result.stdout)
  if (inside !== undefined) return { ...report, inside }
  add('doctor_inside', failed(explainExec(result, sidecar.name)))
  return report
}

/** Returns the command that prints the log of a container, for a fix. */
function formatLogsCommand(
  { namespace, name }: Pick<PodTarget, 'namespace' | 'name'>,
  cluster: ClusterPod,
  container: string,
): string {
  const scope = namespace === undefined ? '' : ` --namespace ${namespace}`
  const { waiting } = findStatus(cluster, container)?.state ?? {}
  const previous = waiting?.reason === 'CrashLoopBackOff' ? ' --previous' : ''
  return `kubectl logs${scope} ${name} -c ${container}${previous}`
}

/** Explains it by the annotations, which say whether the sidecar was requested. */
function explainMissingSidecar({ metadata }: Pod): Fault {
  const annotations = Object.keys(metadata?.annotations ?? {})
  const asks = annotations.find((key) => /^wimds\.io\/|\/inject-proxy-sidecar$/.test(key))
  return asks === undefined
    ? {
        code: 'pod_not_injected',
        problem: 'the pod has no container wimds, and no annotation asks for it',
        fix: 'add the annotation wimds.io/inject: "true" to the pod template, or run wimds inject on its manifest, and create the pod again',
      }
    : {
        code: 'pod_not_injected',
        problem: `the pod has the annotation ${asks}, and no container wimds: no webhook has injected it`,
        fix: 'install the chart, and create the pod again: the webhook injects pods when they are created. helm test shows whether it answers; the label wimds.io/inject: "false" of the namespace excludes its pods',
      }
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
