/** The environment of the app's containers: the endpoints of SDKs, and the metadata address in NO_PROXY and no_proxy. */
import { addNoProxyHosts, NO_PROXY_NAMES } from '../../lib/sdk-variables.ts'
import { createEndpointVariables, type SidecarEndpoint } from './endpoint-variables.ts'
import {
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../kubernetes/pod.ts'

/** Returns the container with NO_PROXY extended and the endpoint variables added. */
export function addAppEnvironment(
  container: Container,
  endpoint: SidecarEndpoint,
  alwaysSetsNoProxy: boolean,
): Container {
  const env = excludeFromProxy(container, alwaysSetsNoProxy)
  const added = createEndpointVariables(container, endpoint)
  if (env.length + added.length === 0) return container
  return { ...container, env: [...env, ...added] }
}

/** Variables that send requests to a proxy, or keep them from it. */
const PROXY_VARIABLE = /^(?:https?|all|no)_proxy$/i

/**
 * Returns the environment with the metadata hosts in NO_PROXY and no_proxy, if a proxy may be set: by a variable, or
 * by `envFrom`, which only the kubelet can read. It replaces `$(NAME)` by the value from there, and leaves the text if
 * there is none. A value with `valueFrom` cannot be extended and stays.
 */
function excludeFromProxy(container: Container, alwaysSetsNoProxy: boolean): EnvVar[] {
  const env = container.env ?? []
  const mayHaveProxy = hasEnvFrom(container) || env.some(({ name }) => PROXY_VARIABLE.test(name))
  if (!mayHaveProxy && !alwaysSetsNoProxy) return env
  const [upper, lower] = NO_PROXY_NAMES
  const values = new Map<string, string>([
    [upper, extend(container, upper, lower)],
    [lower, extend(container, lower, upper)],
  ])
  const extended = env.map((entry) => {
    const value = values.get(entry.name)
    const before = getLiteralValue(entry)
    const isKept = value === undefined || before === undefined || before === value
    return isKept ? entry : { ...entry, value }
  })
  if (takesNoProxyFromElsewhere(container)) return extended
  const missing = [...values].filter(([name]) => findVariable(container, name) === undefined)
  return [...extended, ...missing.map(([name, value]) => ({ name, value }))]
}

/** Returns true if a value of NO_PROXY comes from a ConfigMap or Secret. */
export function takesNoProxyFromElsewhere(container: Container): boolean {
  return NO_PROXY_NAMES.some((name) => {
    const entry = findVariable(container, name)
    return entry !== undefined && getLiteralValue(entry) === undefined
  })
}

/** Returns the value with the hosts added, and with the hosts of the other name if only `envFrom` may set this one. */
function extend(container: Container, name: string, other: string): string {
  const isInherited = (each: string) =>
    hasEnvFrom(container) && findVariable(container, each) === undefined
  const read = (each: string) =>
    isInherited(each) ? `$(${each})` : getLiteralValue(findVariable(container, each))
  const value = isInherited(name) ? [read(name), read(other)].join() : read(name)
  return addNoProxyHosts(value, read(other))
}
