/** Explains why a container of wimds does not run, from the status that the kubelet reports. */
import { type Container, GATE, REDIRECT } from '../../../kubernetes/pod.ts'
import { scrubAndTruncate } from '../../../lib/scrub.ts'
import { lacksRights } from '../../../redirect/run-tool.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type ClusterPod, type ContainerStatus, findStatus } from '../pod-object.ts'

const MAX_MESSAGE = 600

interface Reason {
  /** Completes "the container wimds …". */
  readonly state: string
  readonly fix: string
}

/** Returns `ok` for a running sidecar, and else what the status says and how to fix it. */
export function checkSidecarContainer(
  cluster: ClusterPod,
  container: string,
  kubectlLogs: string,
): Outcome {
  const status = findStatus(cluster, container)
  if (status?.state?.running !== undefined) {
    const restarts = status.restartCount ?? 0
    return passed(
      `${container} is running${restarts === 0 ? '' : `, after ${restarts} restarts`}`,
      ...describeLastEnd(status),
    )
  }
  const { state, fix } = explain(cluster, container, kubectlLogs)
  const problem = `the container ${container} ${state}`
  return failed({ code: 'sidecar_not_running', problem, fix })
}

/** The init containers of injection that are checked, by the check. */
const INIT_CONTAINERS = {
  redirect: {
    container: REDIRECT,
    code: 'redirect_failed',
    waits: 'for the sidecar to listen',
  },
  gate: {
    container: GATE,
    code: 'gate_failed',
    waits: 'until the broker of its node answers for this pod',
  },
} as const

/** Returns whether the init container of the redirect, or the gate of mode node, has completed. */
export function checkInitContainer(
  cluster: ClusterPod,
  check: keyof typeof INIT_CONTAINERS,
  kubectlLogs: string,
): Outcome {
  const { container, code, waits } = INIT_CONTAINERS[check]
  const status = findStatus(cluster, container)
  const end = status?.state?.terminated
  if (end?.exitCode === 0) return passed(`${container} has completed`)
  if (status?.state?.running !== undefined) {
    return notChecked(`${container} is still running: it waits ${waits}`)
  }
  const hasFailed = end ?? status?.lastState?.terminated
  if (hasFailed === undefined && isUnstarted(status)) {
    return notChecked(`${container} has not started yet`)
  }
  const { state, fix } = explain(cluster, container, kubectlLogs)
  return failed({ code, problem: `the init container ${container} ${state}`, fix })
}

/** Returns the failure of an application that ends again and again; undefined if none does. */
export function checkApplication(
  cluster: ClusterPod,
  apps: readonly Container[],
  kubectlLogs: (container: string) => string,
): Outcome | undefined {
  const crashing = apps.find(
    ({ name }) => findStatus(cluster, name)?.state?.waiting?.reason === 'CrashLoopBackOff',
  )
  if (crashing === undefined) return undefined
  const { name } = crashing
  const { exitCode, reason, message } = findStatus(cluster, name)?.lastState?.terminated ?? {}
  return failed({
    code: 'application_crashes',
    problem: `the container ${name} ends again and again, with exit code ${exitCode ?? 'unknown'} (${join(reason, message)})`,
    fix: `see why in its log: ${kubectlLogs(name)}. If an address is in use, wimds listens on that port in the pod: choose another by the annotation wimds.io/port or wimds.io/admin-port`,
  })
}

function isUnstarted(status: ContainerStatus | undefined): boolean {
  const reason = status?.state?.waiting?.reason
  return reason === undefined || reason === 'PodInitializing' || reason === 'ContainerCreating'
}

function describeLastEnd({ lastState }: ContainerStatus): string[] {
  const end = lastState?.terminated
  if (end === undefined) return []
  const { exitCode, reason = 'no reason' } = end
  return [`it ended before with exit code ${exitCode ?? 'unknown'} (${reason})`]
}

function explain(cluster: ClusterPod, container: string, kubectlLogs: string): Reason {
  const { status: pod } = cluster
  const status = findStatus(cluster, container)
  const waiting = status?.state?.waiting
  const end = status?.state?.terminated ?? status?.lastState?.terminated
  const { phase, conditions = [] } = pod
  if (phase === 'Succeeded' || (phase === 'Failed' && waiting === undefined)) {
    return {
      state: `has ended with the pod (${join(phase, pod.reason, pod.message)})`,
      fix: 'run doctor while the pod is running; for a Job, add a sleep to its application',
    }
  }
  const unscheduled = conditions.find(
    ({ type, status: value }) => type === 'PodScheduled' && value === 'False',
  )
  if (unscheduled !== undefined) {
    return {
      state: `has not started: no node for the pod (${join(unscheduled.message)})`,
      fix: 'let the scheduler find a node for the pod: kubectl describe pod has its events',
    }
  }
  if (end !== undefined && (waiting === undefined || waiting.reason === 'CrashLoopBackOff')) {
    return explainEnd(container, end, kubectlLogs)
  }
  const reason = waiting?.reason ?? 'no status yet'
  const state = `is waiting (${join(reason, waiting?.message)})`
  return { state, fix: findWaitingFix(reason, container) }
}

/** The value of the chart and the flag of `wimds inject` for the images other than the sidecar's. */
const IMAGES: Readonly<Record<string, readonly [value: string, flag: string]>> = {
  [REDIRECT]: ['redirectImage', '--redirect-image'],
  [GATE]: ['gateImage', '--gate-image'],
}

function findWaitingFix(reason: string, container: string): string {
  if (/Image|Registry/.test(reason)) {
    const [value, flag] = IMAGES[container] ?? ['image', '--image']
    return `correct the image (values global.imageRegistry, ${value}.repository and ${value}.tag of the chart, --image-registry and ${flag} of wimds inject), push it to that registry, or give the pod an imagePullSecret`
  }
  return /^Create|^RunContainerError$/.test(reason) ? CREATE_FIX : WAIT
}

const CREATE_FIX =
  'create the ConfigMap or Secret that it names, or correct the annotation wimds.io/config-map or wimds.io/identity-header-secret; if it is about the user, the uid of the injector does not fit the pod'

const WAIT =
  'wait for the pod, and read its events: kubectl describe pod. An init container before it may not end'

type End = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

function explainEnd(
  container: string,
  { exitCode, reason, message }: End,
  kubectlLogs: string,
): Reason {
  const state = `ends again and again, with exit code ${exitCode ?? 'unknown'} (${join(reason, message)})`
  if (reason === 'OOMKilled') {
    const fix = 'raise the memory limit: the annotation wimds.io/memory-limit, or the chart'
    return { state, fix }
  }
  if (container === REDIRECT && lacksRights(message ?? '')) return { state, fix: RIGHTS_FIX }
  return exitCode === 64
    ? { state, fix: `correct the settings that its log names: ${kubectlLogs}` }
    : { state, fix: `see why in its log: ${kubectlLogs}` }
}

const RIGHTS_FIX =
  'let the init container have the capability NET_ADMIN (the namespace needs the Pod Security level privileged), or choose mode env'

function join(...parts: readonly (string | undefined)[]): string {
  const texts = parts.filter((part) => part !== undefined && part !== '')
  return scrubAndTruncate(texts.join(': ').replaceAll(/\s+/g, ' ').trim(), MAX_MESSAGE)
}
