/** The environment of the app's containers: SDK endpoints in mode env, NO_PROXY and more in every mode. */
import { addNoProxyHosts, NO_PROXY_NAMES, VARIABLE_SETS } from '../../lib/sdk-variables.ts'
import {
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../kubernetes/pod.ts'

/** The variable by which DefaultAzureCredential chooses among its credentials. */
export const SDK_CREDENTIALS = 'AZURE_TOKEN_CREDENTIALS'
/** The value that the annotation wimds.io/sdk-credentials adds: every version that reads the variable knows this value. */
export const PRODUCTION_CREDENTIALS = { name: SDK_CREDENTIALS, value: 'prod' }
/** The value for a container with a credential that `prod` would prefer. The first versions refuse this value. */
export const MANAGED_IDENTITY_ONLY = { name: SDK_CREDENTIALS, value: 'ManagedIdentityCredential' }

/** The variables of the credentials that DefaultAzureCredential tries before a managed identity. */
const OTHER_CREDENTIALS = [
  'AZURE_CLIENT_SECRET',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_USERNAME',
  'AZURE_FEDERATED_TOKEN_FILE',
]

/** Returns the variables by which the container may have another credential, or `envFrom`; empty if it has none. */
export function findOtherCredentials(container: Container): string[] {
  const names = OTHER_CREDENTIALS.filter((name) => findVariable(container, name) !== undefined)
  return hasEnvFrom(container) ? [...names, 'envFrom'] : names
}

/** Returns the address on which an injected sidecar listens. */
export function formatListenAddress(port: number): string {
  return `127.0.0.1:${port}`
}

/** Returns the variables that lead SDKs to the sidecar in mode env. */
export function createEndpointVariables(
  address: string,
  identityHeader: EnvVar | undefined,
): EnvVar[] {
  const endpoint = { origin: `http://${address}`, identityHeader: '', clientId: '' }
  const variables = {
    ...VARIABLE_SETS.imds(endpoint),
    ...(identityHeader && VARIABLE_SETS['app-service'](endpoint)),
  }
  return Object.entries(variables).map(([name, value]) =>
    name === 'IDENTITY_HEADER' ? { ...identityHeader, name } : { name, value },
  )
}

/** Returns the container with NO_PROXY extended and the variables added that it does not set. */
export function addAppEnvironment(
  container: Container,
  variables: readonly EnvVar[],
  alwaysSetsNoProxy: boolean,
): Container {
  const env = excludeFromProxy(container, alwaysSetsNoProxy)
  const names = new Set(env.map(({ name }) => name))
  const added = variables
    .filter(({ name }) => !names.has(name))
    .map((entry) =>
      entry === PRODUCTION_CREDENTIALS && findOtherCredentials(container).length > 0
        ? MANAGED_IDENTITY_ONLY
        : entry,
    )
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
