/** Checks of the application's containers: whether they run, and whether their SDKs reach the sidecar. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import {
  findEndpointProblems,
  formatListenAddress,
  leadsToSidecar,
} from '../../../injection/injector/endpoint-variables.ts'
import {
  type Container,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../../kubernetes/pod.ts'
import { METADATA_IP } from '../../../lib/hosts.ts'
import { UNPROXIED_HOSTS } from '../../../lib/sdk-variables.ts'
import { DEFAULT_PORT, type RoutingMode } from '../../../lib/sidecar-interface.ts'
import type { Finding } from '../doctor-report.ts'
import { createFinding, failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { type ClusterPod, findAppContainers, findStatus, formatLogs } from '../pod-object.ts'
import { formatEnd } from './container-state.ts'

/** Returns the failure of an application that ends again and again; nothing if none does. */
export function checkApplication(pod: ClusterPod, apps: readonly Container[]): Finding[] {
  const crashing = apps.find(
    ({ name }) => findStatus(pod, name).state?.waiting?.reason === 'CrashLoopBackOff',
  )
  if (crashing === undefined) return []
  const { name } = crashing
  const end = findStatus(pod, name).lastState?.terminated
  const outcome = failed({
    code: 'application_crashes',
    problem: `the container ${name} ${formatEnd(end)}`,
    fix: `see why in its log: ${formatLogs(pod, name)}. If an address is in use, wimds listens on that port in the pod: choose another by the annotation wimds.io/port or wimds.io/admin-port`,
  })
  return [createFinding('application', outcome)]
}

/**
 * Returns a failure for a pod of mode env in which no container has a variable that leads to the sidecar. One container without
 * such a variable may belong to a mesh. Injection rejects variables that lead elsewhere.
 */
export function checkAppVariables(
  pod: ClusterPod,
  sidecar: Container,
  mode: RoutingMode | undefined,
): Outcome {
  if (mode === undefined) {
    return notChecked('whether the application needs them depends on the mode, which is not known')
  }
  if (mode !== 'env') return notNeeded(`not needed in mode ${mode}`)
  const { skipped } = parseAnnotations(pod)
  const listen = getLiteralValue(findVariable(sidecar, 'WIMDS_LISTEN'))
  const endpoint = {
    listen: (listen ?? formatListenAddress(DEFAULT_PORT)).split(','),
    mode,
    identityHeader: findVariable(sidecar, 'WIMDS_IDENTITY_HEADER'),
  }
  const apps = findAppContainers(pod, sidecar).filter(({ name }) => !skipped.has(name))
  const [wrong] = apps.flatMap((app) => findEndpointProblems(app, endpoint))
  if (wrong !== undefined) return failed(wrong)
  const { reached = [], others = [] } = Object.groupBy(apps, (container) =>
    leadsToSidecar(container, endpoint) ? 'reached' : 'others',
  )
  const rest = listNames(others)
  if (reached.length > 0) {
    return passed(
      `point to the sidecar: ${listNames(reached)}`,
      ...(rest === '' ? [] : [`do not, so these get no token: ${rest}`]),
    )
  }
  if (apps.some(hasEnvFrom)) {
    return notChecked('they may come from a ConfigMap or Secret (envFrom), which is not read')
  }
  return failed({
    code: 'sdk_variables_missing',
    problem: `mode env needs a variable that points SDKs to the sidecar, but no container has one: ${rest}`,
    fix: 'inject the pod again, or add what wimds env --output yaml prints to the env of the container; wimds.io/skip-containers must not list it',
  })
}

function listNames(apps: readonly Pick<Container, 'name'>[]): string {
  return apps.map(({ name }) => name).join(', ')
}

/**
 * Runs `env` in each container of the application, since the variables of an image are not in the pod. A container that does not
 * run it, as an image without that program, is judged by its specification. Returns no finding if there is nothing to judge.
 */
export async function checkProxy(
  pod: ClusterPod,
  apps: readonly Container[],
  mode: RoutingMode | undefined,
  kubectl: Kubectl,
): Promise<Finding[]> {
  // In mode env, SDKs ask the sidecar at its own address.
  const host = mode === 'env' ? '127.0.0.1' : METADATA_IP
  const running = apps.filter((app) => pod.spec.containers.includes(app))
  const answers = await Promise.all(
    running.map(async (app) => {
      const { code, stdout } = await kubectl([
        'exec',
        pod.metadata.name,
        `--container=${app.name}`,
        '--',
        'env',
      ])
      const own = (app.env ?? []).map((entry) => `${entry.name}=${getLiteralValue(entry) ?? ''}`)
      const proxy = findProxy(code === 0 ? stdout.split('\n') : own, host)
      const isKnown = code === 0 || proxy !== undefined || !hasEnvFrom(app)
      return isKnown ? [{ name: app.name, isRun: code === 0, proxy }] : []
    }),
  )
  const results = answers.flat()
  if (results.length === 0) return []
  const proxied = results.filter(({ proxy }) => proxy !== undefined)
  const problem = proxied
    .map(({ name, proxy }) => `${name} has ${proxy}, but its NO_PROXY lacks ${host}`)
    .join('; ')
  const fix = `add ${UNPROXIED_HOSTS.join(',')} to NO_PROXY and no_proxy in the env of the container, or set injection.alwaysSetNoProxy of the chart, and create the pod again`
  const [run, unrun] = [true, false].map((isRun) => results.filter((each) => each.isRun === isRun))
  const details = [
    ...(run?.length ? [`no token request goes to a proxy: ${listNames(run)}`] : []),
    ...(unrun?.length
      ? [`the specification sets no proxy, the image may: ${listNames(unrun)}`]
      : []),
  ]
  const outcome =
    problem === '' ? passed(...details) : failed({ code: 'token_request_proxied', problem, fix })
  return [createFinding('application_proxy', outcome)]
}

/** Returns the name of the variable by which requests to the host go to a proxy; undefined if there is none. */
function findProxy(environment: readonly string[], host: string): string | undefined {
  const variables = environment.flatMap((line) => {
    const [, name, value] = /^(\w+)=(.+)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [{ name, value }]
  })
  // Clients differ in which of the two they read first.
  const lists = variables.filter(({ name }) => /^no_proxy$/i.test(name))
  const isExcepted =
    lists.length > 0 &&
    lists.every(({ value }) => value.split(/[,\s]+/).some((each) => each === '*' || each === host))
  const proxy = variables.find(({ name }) => /^(?:https?|all)_proxy$/i.test(name))
  return isExcepted ? undefined : proxy?.name
}
