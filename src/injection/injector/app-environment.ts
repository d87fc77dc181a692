/**
 * The environment of the app's containers: in mode env the endpoints of SDKs, whose variables are in `lib/sdk-variables.ts`; in
 * every mode the metadata address in NO_PROXY and no_proxy.
 */
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import {
  addNoProxyHosts,
  NO_PROXY_NAMES,
  UNSUPPORTED_PROTOCOL_VARIABLES,
  VARIABLE_SETS,
} from '../../lib/sdk-variables.ts'
import { type RoutingMode, TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import {
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
} from '../../kubernetes/pod.ts'

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
  const added = variables.filter(({ name }) => !names.has(name))
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

/** The variables whose value is the address of an endpoint (R21), with the paths that it may have. */
const ENDPOINT_PATHS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  // SDKs append the path of IMDS.
  ['AZURE_POD_IDENTITY_AUTHORITY_HOST', ['']],
  // No SDK asks for the path of IMDS here, but scripts do.
  ['IDENTITY_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.imds]],
  ['MSI_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.cloudShell, TOKEN_PATHS.imds]],
  ...Object.keys(UNSUPPORTED_PROTOCOL_VARIABLES).map((name) => [name, []] as const),
])

/** A sidecar, as the other containers of its pod reach it. */
export interface SidecarEndpoint {
  /** The addresses that it listens on. */
  readonly listen: readonly string[]
  /** In every mode but `env` the metadata address leads to the sidecar too. */
  readonly mode: RoutingMode
  /** False if it has no secret for the App Service endpoint, which it then does not serve. */
  readonly hasIdentityHeader: boolean
}

/** Returns true if a variable of the container leads SDKs to the sidecar. */
export function leadsToSidecar(container: Container, endpoint: SidecarEndpoint): boolean {
  return [...ENDPOINT_PATHS.keys()].some((name) =>
    findValues(name, endpoint).includes(normalize(getLiteralValue(findVariable(container, name)))),
  )
}

/** Returns the values of a variable that lead SDKs to the sidecar. */
function findValues(name: string, { listen, mode, hasIdentityHeader }: SidecarEndpoint): string[] {
  const origins = [
    ...listen.flatMap(findOrigins),
    ...(mode === 'env' ? [] : [METADATA_ORIGIN, `${METADATA_ORIGIN}:80`]),
  ]
  const paths = (ENDPOINT_PATHS.get(name) ?? []).filter(
    (path) => hasIdentityHeader || path !== TOKEN_PATHS.appService,
  )
  return origins.flatMap((origin) => paths.map((path) => `${origin}${path}`))
}

/** Returns the origins by which a container of the pod reaches an address that the sidecar listens on. */
function findOrigins(address: string): string[] {
  const port = address.slice(address.lastIndexOf(':') + 1).trim()
  const isIpv6 = address.trim().startsWith('[')
  return ['127.0.0.1', 'localhost', ...(isIpv6 ? ['[::1]'] : [])].map(
    (host) => `http://${host}:${port}`,
  )
}

/**
 * Returns the URL without letter case and repeated slashes, as the sidecar routes it (R11). Compare only the text: SDKs
 * differ in how they parse an unusual URL, such as one with a backslash, and the kubelet replaces `$(NAME)`, which may end the
 * user of a URL and begin another host.
 */
function normalize(url = ''): string {
  return url
    .toLowerCase()
    .replaceAll(/(?<!:)\/{2,}/g, '/')
    .replace(/\/$/, '')
}

/** Returns a sentence, with its fix, for each variable by which SDKs of the container get no token of the sidecar. */
export function findEndpointProblems(container: Container, endpoint: SidecarEndpoint) {
  return [...ENDPOINT_PATHS.keys()].flatMap((name) => {
    const problem = findProblem(name, container, endpoint)
    if (problem === undefined) return []
    // In the other modes programs that ask 169.254.169.254 still get tokens, so it is a warning.
    const isRejected =
      endpoint.mode === 'env' || Object.hasOwn(UNSUPPORTED_PROTOCOL_VARIABLES, name)
    return [{ isRejected, text: `the container ${container.name} sets ${name}${problem}` }]
  })
}

function findProblem(
  name: string,
  container: Container,
  endpoint: SidecarEndpoint,
): string | undefined {
  const present = findVariable(container, name)
  const value = getLiteralValue(present)
  // SDKs take an empty variable for none, and then ask the metadata address.
  if (present === undefined || (value === '' && endpoint.mode !== 'env')) return undefined
  if (findValues(name, endpoint).includes(normalize(value))) return undefined
  if (findValues(name, { ...endpoint, hasIdentityHeader: true }).includes(normalize(value))) {
    return ', but the sidecar has no secret for it. Fix: name its Secret in wimds.io/identity-header-secret'
  }
  const own = (ENDPOINT_PATHS.get(name) ?? [])
    .filter((path) => path !== TOKEN_PATHS.imds)
    .flatMap((path) => endpoint.listen.map((address) => `http://${address}${path}`))
  const alternatives = own.length === 0 ? '' : `, set it to ${own.join(' or ')}`
  return `, so SDKs that read it never ask the sidecar. Fix: remove the variable${alternatives}, or list the container in wimds.io/skip-containers`
}
