/** Checks a pod from outside: its spec and status, and then doctor inside the container of its sidecar. */
import type { Pod } from '../../../cluster/injector/pod.ts'
import { isDnsLabel, isDnsSubdomain } from '../../../lib/grammars.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { VERSION } from '../../../lib/version.ts'
import { failed, notChecked, passed } from '../findings.ts'
import { createKubectlFailure, extractReason, type Kubectl } from '../kubectl.ts'
import { createFailure } from '../failure.ts'
import {
  createReport,
  type DoctorReport,
  type Failure,
  type Finding,
  parseReport,
} from '../doctor-report.ts'
import { checkAppVariables } from './app-variables.ts'
import { checkRedirectContainer, checkSidecarContainer } from './container-state.ts'
import { checkNodeAgent } from './node-agent-check.ts'
import {
  findMode,
  findRedirectContainer,
  findSidecarContainer,
  findStatus,
  parseClusterPod,
} from './pod-object.ts'
import { checkProxy } from './proxy-check.ts'

export interface PodName {
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  readonly name: string
}

interface PodOptions {
  readonly kubectl: Kubectl
  readonly target: PodName
  /** Undefined: the one of the pod's injection. */
  readonly mode: RoutingMode | undefined
  /** More arguments of doctor inside. */
  readonly args: readonly string[]
}

/** The check that stands for all of those inside the pod. */
const INSIDE = 'doctor_inside'

/** Parses `NAMESPACE/POD` or `POD`; undefined if it is neither. */
export function parsePodName(text: string): PodName | undefined {
  const [, namespace, name = ''] = /^(?:([^/]*)\/)?([^/]*)$/.exec(text) ?? []
  const isValid = (namespace === undefined || isDnsLabel(namespace)) && isDnsSubdomain(name)
  return isValid ? { namespace, name } : undefined
}

/** Returns the report of the pod. A check that fails is reported, not thrown. */
export async function checkPod(options: PodOptions): Promise<DoctorReport> {
  const { kubectl, target, args } = options
  const { namespace, name } = target
  const scope = namespace === undefined ? [] : ['--namespace', namespace]
  const finish = (checks: Finding[], inside?: DoctorReport) =>
    createReport({
      ...(namespace !== undefined && { namespace }),
      pod: name,
      checks,
      ...(inside !== undefined && { inside }),
    })
  const get = ['get', 'pod', name, ...scope, '--output=json']
  const got = await kubectl(get)
  if (!got.ran) return finish([failed('pod', got.failure), skipInside('the pod was not read')])
  const cluster = got.code === 0 ? parseClusterPod(got.stdout) : undefined
  if (cluster === undefined) {
    const isMissing = got.stderr.includes('(NotFound)')
    const failure = isMissing ? createMissingFailure(target) : createKubectlFailure(get, got)
    return finish([failed('pod', failure), skipInside('the pod was not read')])
  }
  const { pod, status } = cluster
  const found = passed('pod', `exists, in phase ${status.phase ?? 'Unknown'}`)
  const sidecar = findSidecarContainer(pod)
  if (sidecar === undefined) {
    return finish([
      found,
      failed('sidecar_container', createNotInjectedFailure(pod)),
      skipInside('the pod has no sidecar'),
    ])
  }
  const logs = (container: string) =>
    [
      'kubectl logs',
      ...scope,
      name,
      '-c',
      container,
      ...createPreviousFlag(cluster, container),
    ].join(' ')
  const mode = options.mode ?? findMode(pod)
  const redirect = findRedirectContainer(pod)
  const container = checkSidecarContainer(cluster, sidecar.name, logs(sidecar.name))
  const outside = [
    found,
    container,
    ...(redirect === undefined
      ? []
      : [checkRedirectContainer(cluster, redirect.name, logs(redirect.name))]),
    checkAppVariables(pod, sidecar, mode),
  ]
  if (container.status !== 'ok') {
    return finish([...outside, skipInside(`the container ${sidecar.name} is not running`)])
  }
  if (mode === 'node') {
    outside.push(await checkNodeAgent({ kubectl, cluster, name, scope, sidecar: sidecar.name }))
  }
  const exec = (each: string, ...words: readonly string[]) =>
    kubectl(['exec', name, ...scope, `--container=${each}`, '--', ...words])
  const proxy = await checkProxy(pod, sidecar.name, mode, exec)
  if (proxy !== undefined) outside.push(proxy)
  const command = ['wimds', 'doctor', '--output=json', ...(mode ? [`--mode=${mode}`] : []), ...args]
  const result = await exec(sidecar.name, ...command)
  if (!result.ran) return finish([...outside, failed(INSIDE, result.failure)])
  const inside = parseReport(result.stdout)
  return inside === undefined
    ? finish([...outside, failed(INSIDE, createExecFailure(result, sidecar.name))])
    : finish(outside, inside)
}

function skipInside(reason: string): Finding {
  return notChecked(INSIDE, reason)
}

function createPreviousFlag(
  cluster: Parameters<typeof findStatus>[0],
  container: string,
): string[] {
  return findStatus(cluster, container)?.state?.waiting?.reason === 'CrashLoopBackOff'
    ? ['--previous']
    : []
}

function createMissingFailure({ namespace, name }: PodName): Failure {
  const place = namespace === undefined ? 'the current namespace' : `the namespace ${namespace}`
  return createFailure(
    'pod_not_found',
    `there is no pod ${name} in ${place}`,
    'give --pod NAMESPACE/POD with the name of a pod, not of its Deployment (kubectl get pods --all-namespaces), and check the context (kubectl config current-context)',
  )
}

/** Explains it by the annotations, which say whether the sidecar was requested. */
function createNotInjectedFailure({ metadata }: Pod): Failure {
  const annotations = Object.keys(metadata?.annotations ?? {})
  const asks = annotations.find((key) => /^wimds\.io\/|\/inject-proxy-sidecar$/.test(key))
  return asks === undefined
    ? createFailure(
        'pod_not_injected',
        'the pod has no container wimds, and no annotation asks for it',
        'add the annotation wimds.io/inject: "true" to the pod template, or run wimds inject on its manifest, and create the pod again',
      )
    : createFailure(
        'pod_not_injected',
        `the pod has the annotation ${asks}, and no container wimds: no webhook has injected it`,
        'install the chart, and create the pod again: the webhook injects pods when they are created. wimds doctor --pre shows whether it is installed; the label wimds.io/inject: "false" of the namespace excludes its pods',
      )
}

function createExecFailure(
  { code, stdout, stderr }: { code: number; stdout: string; stderr: string },
  container: string,
): Failure {
  const reason = extractReason(stderr)
  if (/executable file not found|no such file or directory/.test(stderr)) {
    return createFailure(
      'pod_not_injected',
      `the container ${container} has no wimds (${reason}): its image is not that of wimds`,
      'set the image of the sidecar to that of wimds',
    )
  }
  if (code === 137) {
    return createFailure(
      'kubectl_failed',
      `doctor was killed in the container ${container}, most likely because its memory limit is too low`,
      'raise the memory limit of the sidecar (the annotation wimds.io/memory-limit)',
    )
  }
  if (/forbidden|cannot create resource/i.test(stderr)) {
    return createFailure(
      'kubectl_failed',
      `kubectl exec is not allowed: ${reason}`,
      'run this command as a user who may create pods/exec in the namespace',
    )
  }
  const printed = stdout === '' ? '' : ', and printed no report of this version'
  return createFailure(
    'kubectl_failed',
    `doctor in the container ${container} ended with exit code ${code}${printed}: ${reason}`,
    `use the wimds of the version of the sidecar; this one is ${VERSION}`,
  )
}
