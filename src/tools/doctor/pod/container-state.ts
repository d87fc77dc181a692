/** Explains why a container of wimds does not run, from the status that the kubelet reports. */
import { GATE, REDIRECT } from '../../../kubernetes/pod.ts'
import { lacksRights } from '../../../redirect/run-tool.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type ClusterPod, type ContainerStatus, findStatus, formatLogs } from '../pod-object.ts'

/** Returns `ok` for a running sidecar, otherwise what the status says and how to fix it. */
export function checkSidecarContainer(pod: ClusterPod, container: string): Outcome {
  const { state, lastState, restartCount = 0 } = findStatus(pod, container)
  if (state?.running === undefined) {
    const { state: found, fix } = explain(pod, container)
    const problem = `the container ${container} ${found}`
    return failed({ code: 'sidecar_not_running', problem, fix })
  }
  const restarts = restartCount === 0 ? '' : `, after ${restartCount} restarts`
  const { exitCode, reason = 'no reason' } = lastState?.terminated ?? {}
  return passed(
    `${container} is running${restarts}`,
    ...(exitCode === undefined ? [] : [`it ended before with exit code ${exitCode} (${reason})`]),
  )
}

/** The init containers of injection that are checked, by the check: name, code, and what it waits for. */
const INIT_CONTAINERS = {
  redirect: [REDIRECT, 'redirect_failed', 'for the sidecar to listen'],
  gate: [GATE, 'gate_failed', 'until the broker of its node answers for this pod'],
} as const

/** Returns whether the init container of the redirect, or the gate of mode node, has completed. */
export function checkInitContainer(pod: ClusterPod, check: keyof typeof INIT_CONTAINERS): Outcome {
  const [container, code, waits] = INIT_CONTAINERS[check]
  const { state = {}, lastState } = findStatus(pod, container)
  const { running, waiting, terminated } = state
  if (terminated?.exitCode === 0) return passed(`${container} has completed`)
  if (running !== undefined) {
    return notChecked(`${container} is still running: it waits ${waits}`)
  }
  const hasFailed = terminated !== undefined || lastState?.terminated !== undefined
  if (!hasFailed && /^(?:|PodInitializing|ContainerCreating)$/.test(waiting?.reason ?? '')) {
    return notChecked(`${container} has not started yet`)
  }
  const { state: found, fix } = explain(pod, container)
  return failed({ code, problem: `the init container ${container} ${found}`, fix })
}

/** Returns the state, which completes "the container wimds …", and the fix. */
function explain(pod: ClusterPod, container: string) {
  const { phase, conditions = [], reason: ofPod, message } = pod.status
  const { state, lastState } = findStatus(pod, container)
  const waiting = state?.waiting
  const end = state?.terminated ?? lastState?.terminated
  if (phase === 'Succeeded' || (phase === 'Failed' && waiting === undefined)) {
    return {
      state: `has ended with the pod (${join(phase, ofPod, message)})`,
      fix: 'run doctor while the pod is running; for a Job, add a sleep to its application',
    }
  }
  const unscheduled = conditions.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  )
  if (unscheduled !== undefined) {
    return {
      state: `has not started: no node for the pod (${join(unscheduled.message)})`,
      fix: 'let the scheduler find a node for the pod: kubectl describe pod has its events',
    }
  }
  if (end !== undefined && (waiting === undefined || waiting.reason === 'CrashLoopBackOff')) {
    return { state: formatEnd(end), fix: findEndFix(container, end, formatLogs(pod, container)) }
  }
  const reason = waiting?.reason ?? 'no status yet'
  return {
    state: `is waiting (${join(reason, waiting?.message)})`,
    fix: findWaitingFix(reason, container),
  }
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
  'create the ConfigMap or Secret that it names, or correct the annotation wimds.io/config-map; if it is about the user, the uid of the injector does not fit the pod'

const WAIT =
  'wait for the pod, and read its events: kubectl describe pod. An init container before it may not end'

type End = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

/**
 * Returns the words after "the container NAME" for a container that keeps ending: its last exit code, reason and
 * message.
 */
function formatEnd({ exitCode, reason, message }: Partial<End> = {}): string {
  return `ends again and again, with exit code ${exitCode ?? 'unknown'} (${join(reason, message)})`
}

function findEndFix(container: string, { exitCode, reason, message = '' }: End, logs: string) {
  if (reason === 'OOMKilled') {
    return 'raise the memory limit: the annotation wimds.io/memory-limit, or the chart'
  }
  if (container === REDIRECT && lacksRights(message)) return RIGHTS_FIX
  return exitCode === 64
    ? `correct the settings that its log names: ${logs}`
    : `see why in its log: ${logs}`
}

const RIGHTS_FIX =
  'let the init container have the capability NET_ADMIN (the namespace needs the Pod Security level privileged), or choose mode env'

function join(...parts: readonly (string | undefined)[]): string {
  const texts = parts.filter((part) => part !== undefined && part !== '')
  return texts.join(': ').replaceAll(/\s+/g, ' ').trim()
}
