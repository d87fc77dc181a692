/** The environment of the app's containers: the endpoints of SDKs, and the metadata address in NO_PROXY and no_proxy. */
import { listFound } from '../../lib/printable.ts'
import { addNoProxyHosts, NO_PROXY_NAMES } from '../../lib/sdk-variables.ts'
import { createEndpointVariables } from './endpoint-variables.ts'
import type { Plan } from './injection-plan.ts'
import {
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../kubernetes/pod.ts'

/** Returns the container with NO_PROXY extended and the endpoint variables added, unless it is to be skipped. */
export function addAppEnvironment(container: Container, { settings, endpoint }: Plan): Container {
  if (settings.skipped.has(container.name)) return container
  const env = excludeFromProxy(container, settings.alwaysSetsNoProxy)
  const added = createEndpointVariables(container, endpoint)
  if (env.length + added.length === 0) return container
  return { ...container, env: [...env, ...added] }
}

/** The variables that send requests to a proxy, or exclude hosts from it. */
const PROXY_VARIABLE = /^(?:https?|all|no)_proxy$/i

/**
 * Returns the environment with the metadata hosts in NO_PROXY and no_proxy, if a variable or `envFrom` may set a proxy. Only the
 * kubelet reads `envFrom`. It replaces `$(NAME)` by the value that `envFrom` sets, or keeps that text if `envFrom` does not set the
 * variable. A value with `valueFrom` cannot be extended, so it stays.
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
function takesNoProxyFromElsewhere(container: Container): boolean {
  return NO_PROXY_NAMES.some((name) => {
    const entry = findVariable(container, name)
    return entry !== undefined && getLiteralValue(entry) === undefined
  })
}

/** The variables by which programs reach Entra ID through a proxy. */
const HTTPS_PROXY = /^(?:https|all)_proxy$/i
/** With `HTTPS_PROXY` the sidecar has a proxy. With `AZURE_KUBERNETES_TOKEN_PROXY` it needs none. */
const PROXY_OF_SIDECAR = /^(?:https_proxy|AZURE_KUBERNETES_TOKEN_PROXY)$/i

/**
 * Returns a warning for each container whose NO_PROXY cannot be extended, and a warning if an application has a proxy but the
 * sidecar has none. In mode node the operator sets the proxy of the broker.
 */
export function findProxyWarnings(apps: readonly Container[], { settings, sidecarEnv }: Plan) {
  const foreign = apps.filter(takesNoProxyFromElsewhere)
  const isComplete =
    settings.mode === 'node' || sidecarEnv.some(({ name }) => PROXY_OF_SIDECAR.test(name))
  const [proxied] = apps.flatMap(({ name: container, env }) => {
    const entry = env?.find((each) => HTTPS_PROXY.test(each.name) && getLiteralValue(each) !== '')
    return entry === undefined ? [] : [`the container ${container} sets ${entry.name}`]
  })
  return [
    ...foreign.map(
      ({ name }) =>
        `the container ${name} takes NO_PROXY from a ConfigMap or Secret. Fix: make sure that it contains 169.254.169.254`,
    ),
    ...listFound(
      !isComplete &&
        proxied !== undefined &&
        `${proxied}, but the sidecar has no proxy, so it may not reach Entra ID. Fix: set the annotation wimds.io/https-proxy, or HTTPS_PROXY in injection.env of the chart`,
    ),
  ]
}

/**
 * Returns the value of a variable with the metadata hosts added. `other` is its name in the other letter case. If only `envFrom`
 * may set the variable, the hosts of `other` are added too.
 */
function extend(container: Container, name: string, other: string): string {
  const isInherited = (each: string) =>
    hasEnvFrom(container) && findVariable(container, each) === undefined
  const read = (each: string) =>
    isInherited(each) ? `$(${each})` : getLiteralValue(findVariable(container, each))
  const value = isInherited(name) ? [read(name), read(other)].join() : read(name)
  return addNoProxyHosts(value, read(other))
}
