/** Checks whether the SDKs in the application's containers reach the sidecar. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import {
  findEndpointProblems,
  formatListenAddress,
  leadsToSidecar,
} from '../../../injection/injector/endpoint-variables.ts'
import {
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../../kubernetes/pod.ts'
import { METADATA_IP } from '../../../lib/hosts.ts'
import { UNPROXIED_HOSTS } from '../../../lib/sdk-variables.ts'
import { DEFAULT_PORT, type RoutingMode } from '../../../lib/sidecar-interface.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { type ClusterPod, findAppContainers } from '../pod-object.ts'

/**
 * Returns a failure for a pod of mode env in which no container has a variable that leads to the sidecar. Some containers may
 * lack it, such as the proxy of a service mesh. Injection rejects variables that lead elsewhere.
 */
export function checkAppVariables(
  pod: ClusterPod,
  sidecar: Container,
  mode: RoutingMode | undefined,
): Outcome {
  if (mode === undefined) {
    return notChecked('whether the application needs them depends on WIMDS_MODE of the sidecar')
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
      ...(rest === '' ? [] : [`do not point to it, so these get no token: ${rest}`]),
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
 * Runs `env` in each container of the application, since the pod does not have the variables of an image. If `env` does not run,
 * such as in an image without that program, the specification decides, unless its variables come from other objects.
 */
export async function checkProxy(
  pod: ClusterPod,
  apps: readonly Container[],
  mode: RoutingMode | undefined,
  kubectl: Kubectl,
): Promise<Outcome> {
  // In mode env, SDKs ask the sidecar at its own address.
  const host = mode === 'env' ? '127.0.0.1' : METADATA_IP
  const running = apps.filter((app) => pod.spec.containers.includes(app))
  const results: Awaited<ReturnType<typeof readProxy>>[] = []
  // One kubectl after the other: a pod may have many containers.
  for (const app of running) results.push(await readProxy(pod, app, host, kubectl))
  const proxied = results.filter(({ proxy }) => proxy !== undefined)
  if (proxied.length > 0) {
    const problems = proxied.map(
      ({ name, proxy }) => `${name} has ${proxy}, but its NO_PROXY lacks ${host}`,
    )
    return failed({
      code: 'token_request_proxied',
      problem: problems.join('; '),
      fix: `add ${UNPROXIED_HOSTS.join(',')} to NO_PROXY and no_proxy in the env of the container, or set injection.alwaysSetNoProxy of the chart, and create the pod again`,
    })
  }
  const unknown = results.filter(({ isUnknown }) => isUnknown)
  return unknown.length > 0
    ? notChecked(
        `env did not run, and a ConfigMap or Secret may set a proxy: ${listNames(unknown)}`,
      )
    : passed(
        `no token request goes to a proxy: ${listNames(results)}`,
        ...results
          .filter(({ isRun }) => !isRun)
          .map(({ name }) => `${name}: by its specification; its image may set a proxy`),
      )
}

/** Runs `env` in the container. Returns whether it ran, and the variable by which requests to the host go to a proxy. */
async function readProxy(pod: ClusterPod, app: Container, host: string, kubectl: Kubectl) {
  const { name } = app
  const output = await kubectl(['exec', pod.metadata.name, `--container=${name}`, '--', 'env'])
  const isRun = typeof output === 'string'
  const own = (app.env ?? []).map((entry) => `${entry.name}=${getLiteralValue(entry) ?? ''}`)
  const isUnknown = !isRun && (hasEnvFrom(app) || app.env?.some(isForeignProxy) === true)
  return { name, isRun, isUnknown, proxy: findProxy(isRun ? output.split('\n') : own, host) }
}

function isForeignProxy(entry: EnvVar): boolean {
  return /_proxy$/i.test(entry.name) && getLiteralValue(entry) === undefined
}

/** Returns the name of the variable by which requests to the host go to a proxy; undefined if there is none. */
function findProxy(environment: readonly string[], host: string): string | undefined {
  const variables = environment.flatMap((line) => {
    const [, name, value] = /^(\w+)=(.+)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [{ name, value }]
  })
  // Clients differ in whether they read NO_PROXY or no_proxy first.
  const lists = variables.filter(({ name }) => /^no_proxy$/i.test(name))
  const isExcepted =
    lists.length > 0 &&
    lists.every(({ value }) => value.split(/[,\s]+/).some((each) => each === '*' || each === host))
  const proxy = variables.find(({ name }) => /^(?:https?|all)_proxy$/i.test(name))
  return isExcepted ? undefined : proxy?.name
}
