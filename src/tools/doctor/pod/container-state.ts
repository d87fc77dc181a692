/** Explains why a container of wimds does not run, from the status that the kubelet reports. */
import { GATE, REDIRECT } from '../../../kubernetes/pod.ts'
import { lacksRights } from '../../../redirect/run-tool.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type ClusterPod, type ContainerStatus, findStatus } from '../pod-object.ts'

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

/** The injected init containers by their check: name, error code, and what the container waits for. */
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
  const { phase } = pod.status
  const { state, lastState } = findStatus(pod, container)
  const waiting = state?.waiting
  const end = state?.terminated ?? lastState?.terminated
  if (phase === 'Succeeded' || (phase === 'Failed' && waiting === undefined)) {
    return {
      state: 'has ended with the pod',
      fix: 'run doctor while the pod is running; for a Job, add a sleep to its application',
    }
  }
  if (end !== undefined && (waiting === undefined || waiting.reason === 'CrashLoopBackOff')) {
    const { exitCode = 'unknown', reason, message } = end
    return {
      state: `ends again and again, with exit code ${exitCode} (${joinTexts(reason, message)})`,
      fix: findEndFix(container, end, pod.metadata),
    }
  }
  const { reason = 'no status yet', message } = waiting ?? {}
  const [, fix = WAIT] = WAITING_FIXES.find(([pattern]) => pattern.test(reason)) ?? []
  return { state: `is waiting (${joinTexts(reason, message)})`, fix }
}

/** Why a container waits, and the fix. */
const WAITING_FIXES: readonly (readonly [RegExp, string])[] = [
  [
    /Image|Registry/,
    'correct the image (values global.imageRegistry, image, redirectImage and gateImage of the chart; --image-registry, --image, --redirect-image and --gate-image of wimds inject), push it to that registry, or give the pod an imagePullSecret',
  ],
  [
    /^Create|^RunContainerError$/,
    'create the ConfigMap or Secret that it names, or correct the annotation wimds.io/config-map. If the reason is about the user, choose another uid of the injector',
  ],
]

const WAIT =
  'wait for the pod, and read its events: kubectl describe pod. An earlier init container may still run'

type End = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

function findEndFix(
  container: string,
  { exitCode, reason, message = '' }: End,
  { namespace, name }: ClusterPod['metadata'],
) {
  if (reason === 'OOMKilled') {
    return 'raise the memory limit: the annotation wimds.io/memory-limit, or the chart'
  }
  if (container === REDIRECT && lacksRights(message)) {
    return 'let the init container have the capability NET_ADMIN (the namespace needs the Pod Security level privileged), or choose mode env'
  }
  const action = exitCode === 64 ? 'correct the settings that its log names' : 'see why in its log'
  return `${action}: kubectl logs --namespace ${namespace} ${name} -c ${container}`
}

/** Joins the texts that are not empty into one line. */
export function joinTexts(...parts: readonly (string | undefined)[]): string {
  const texts = parts.filter((part) => part !== undefined && part !== '')
  return texts.join(': ').replaceAll(/\s+/g, ' ').trim()
}
