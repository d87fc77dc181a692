/** Checks whether the application sends its token requests to an HTTP proxy, such as one that its image sets. */
import type { Container } from '../../../kubernetes/pod.ts'
import { METADATA_IP } from '../../../lib/hosts.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { UNPROXIED_HOSTS } from '../../../lib/sdk-variables.ts'
import type { Finding } from '../doctor-report.ts'
import { createFinding, failed, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { type ClusterPod, execInPod } from '../pod-object.ts'

/**
 * Runs `env` in each container of the application, since the variables of an image are not in the pod. Returns no finding
 * if none could be read, as in an image without that program.
 */
export async function checkProxy(
  pod: ClusterPod,
  apps: readonly Container[],
  mode: RoutingMode | undefined,
  kubectl: Kubectl,
): Promise<Finding[]> {
  // In mode env, SDKs ask the sidecar at its own address.
  const host = mode === 'env' ? '127.0.0.1' : METADATA_IP
  const results = await Promise.all(
    apps
      .filter((app) => pod.spec.containers.includes(app))
      .map(async ({ name }) => ({ name, ...(await execInPod(kubectl, pod, name, ['env'])) })),
  )
  const read = results.filter(({ code }) => code === 0)
  if (read.length === 0) return []
  const proxied = read.flatMap(({ name, stdout }) => {
    const proxy = findProxy(stdout, host)
    return proxy === undefined ? [] : `${name} has ${proxy}, and its NO_PROXY lacks ${host}`
  })
  const outcome =
    proxied.length === 0
      ? passed(`no token request goes to a proxy: ${read.map(({ name }) => name).join(', ')}`)
      : failed({
          code: 'token_request_proxied',
          problem: proxied.join('; '),
          fix: `add ${UNPROXIED_HOSTS.join(',')} to NO_PROXY and no_proxy in the env of the container, or set injection.alwaysSetNoProxy of the chart, and create the pod again`,
        })
  return [createFinding('application_proxy', outcome)]
}

/** Returns the name of the variable by which requests to the host go to a proxy; undefined if there is none. */
function findProxy(environment: string, host: string): string | undefined {
  const variables = environment.split('\n').flatMap((line) => {
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
