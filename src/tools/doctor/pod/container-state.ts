/** Explains why a container of wimds does not run, from the status that the kubelet reports. */
import { GATE, REDIRECT } from '../../../cluster/injector/pod.ts'
import { scrubAndTruncate } from '../../../lib/scrub.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type ClusterPod, type ContainerStatus, findStatus } from './pod-object.ts'

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
  const { state, fix } = explain(cluster, status, kubectlLogs)
  const problem = `the container ${container} ${state}`
  return failed({ code: 'sidecar_not_running', problem, fix })
}

/** The init containers of injection that are checked, by the check. */
const INIT_CONTAINERS = {
  redirect: {
    container: REDIRECT,
    code: 'redirect_failed',
    waits: 'for the sidecar to listen',
    /** The fix of states that match. */
    special: /not permitted|NET_ADMIN/,
    fix: 'let the init container have the capability NET_ADMIN (the namespace needs the Pod Security level privileged), or choose mode env',
  },
  gate: {
    container: GATE,
    code: 'gate_failed',
    waits: 'until the broker of its node answers for this pod',
    special: /Image|Registry/,
    fix: 'correct the image (values gateImage.repository and gateImage.tag of the chart, --gate-image of wimds inject), push it to that registry, or give the pod an imagePullSecret',
  },
} as const

/** Returns whether the init container of the redirect, or the gate of mode node, has completed. */
export function checkInitContainer(
  cluster: ClusterPod,
  check: keyof typeof INIT_CONTAINERS,
  kubectlLogs: string,
): Outcome {
  const { container, code, waits, special, fix: specialFix } = INIT_CONTAINERS[check]
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
  const { state, fix } = explain(cluster, status, kubectlLogs)
  return failed({
    code,
    problem: `the init container ${container} ${state}`,
    fix: special.test(state) ? specialFix : fix,
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

function explain(
  { status: pod }: ClusterPod,
  status: ContainerStatus | undefined,
  kubectlLogs: string,
): Reason {
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
    return explainEnd(end, kubectlLogs)
  }
  const reason = waiting?.reason ?? 'no status yet'
  const fix = WAITING_FIXES.find(([pattern]) => pattern.test(reason))?.[1]
  return { state: `is waiting (${join(reason, waiting?.message)})`, fix: fix ?? WAIT }
}

/** The fix by the reason that a container waits for. */
const WAITING_FIXES: readonly (readonly [reason: RegExp, fix: string])[] = [
  [
    /Image|ErrImage|Registry/,
    'correct the image (values image.repository and image.tag of the chart, --image of wimds inject), push it to that registry, or give the pod an imagePullSecret',
  ],
  [
    /^Create|^RunContainerError$/,
    'create the ConfigMap or Secret that it names, or correct the annotation wimds.io/config-map or wimds.io/identity-header-secret; if it is about the user, the uid of the injector does not fit the pod',
  ],
]

const WAIT =
  'wait for the pod, and read its events: kubectl describe pod. An init container before it may not end'

type End = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

function explainEnd({ exitCode, reason, message }: End, kubectlLogs: string): Reason {
  const state = `ends again and again, with exit code ${exitCode ?? 'unknown'} (${join(reason, message)})`
  if (reason === 'OOMKilled') {
    const fix = 'raise the memory limit: the annotation wimds.io/memory-limit, or the chart'
    return { state, fix }
  }
  return exitCode === 64
    ? { state, fix: `correct the settings that its log names: ${kubectlLogs}` }
    : { state, fix: `see why in its log: ${kubectlLogs}` }
}

function join(...parts: readonly (string | undefined)[]): string {
  const texts = parts.filter((part) => part !== undefined && part !== '')
  return scrubAndTruncate(texts.join(': ').replaceAll(/\s+/g, ' ').trim(), MAX_MESSAGE)
}
