/** The environment of the app's containers: SDK endpoints in mode env, NO_PROXY and more in every mode. */
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { addNoProxyHosts, NO_PROXY_NAMES } from '../../lib/no-proxy.ts'
import type { RoutingMode } from '../../lib/routing-modes.ts'
import { ENDPOINT_VARIABLES } from '../../sdk-variables.ts'
import { type Container, type EnvVar, findVariable, getLiteralValue } from './pod.ts'

/** The variable by which DefaultAzureCredential chooses among its credentials. */
export const SDK_CREDENTIALS = 'AZURE_TOKEN_CREDENTIALS'
/** What the annotation wimds.io/sdk-credentials adds. */
export const MANAGED_IDENTITY_ONLY = { name: SDK_CREDENTIALS, value: 'ManagedIdentityCredential' }

/** Returns the variables that lead SDKs to the sidecar in mode env. */
export function createEndpointVariables(
  address: string,
  identityHeader: EnvVar | undefined,
): EnvVar[] {
  const origin = `http://${address}`
  const host = { name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: origin }
  if (identityHeader === undefined) return [host]
  return [
    host,
    { name: 'IDENTITY_ENDPOINT', value: `${origin}/msi/token` },
    { ...identityHeader, name: 'IDENTITY_HEADER' },
  ]
}

/** Returns the container with NO_PROXY extended and the variables added that it does not set. */
export function addAppEnvironment(container: Container, variables: readonly EnvVar[]): Container {
  const env = excludeFromProxy(container)
  const names = new Set(env.map(({ name }) => name))
  const added = variables.filter(({ name }) => !names.has(name))
  return env.length + added.length === 0 ? container : { ...container, env: [...env, ...added] }
}

/**
 * Returns the environment with the metadata hosts in NO_PROXY and no_proxy. A value that comes from a
 * ConfigMap or a Secret cannot be extended, and one that may come with `envFrom` must not be hidden:
 * both stay as they are.
 */
function excludeFromProxy(container: Container): EnvVar[] {
  const env = container.env ?? []
  const entries = NO_PROXY_NAMES.map((name) => findVariable(container, name))
  const values = entries.map(getLiteralValue)
  const [upper, lower] = values
  const extended = new Map([
    [NO_PROXY_NAMES[0], addNoProxyHosts(upper, lower)],
    [NO_PROXY_NAMES[1], addNoProxyHosts(lower, upper)],
  ] as const)
  const isSetElsewhere = entries.some((entry) => entry !== undefined && !isPlain(entry))
  const mayComeFromEnvFrom =
    entries.every((entry) => entry === undefined) && (container.envFrom?.length ?? 0) > 0
  const canAdd = !isSetElsewhere && !mayComeFromEnvFrom
  return [
    ...env.map((entry) => {
      const value = isNoProxyName(entry.name) && isPlain(entry) && extended.get(entry.name)
      return typeof value === 'string' ? { ...entry, value } : entry
    }),
    ...[...extended].flatMap(([name, value], index) =>
      canAdd && entries[index] === undefined ? { name, value } : [],
    ),
  ]
}

const isPlain = (entry: EnvVar) => getLiteralValue(entry) !== undefined

function isNoProxyName(name: string): name is (typeof NO_PROXY_NAMES)[number] {
  return NO_PROXY_NAMES.some((each) => each === name)
}

/** The variables whose value is the address of an endpoint (R21). */
const ENDPOINT_ADDRESSES = [
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'IDENTITY_ENDPOINT',
  'MSI_ENDPOINT',
]

/** A variable of a container with the address of an endpoint. */
export interface EndpointAddress {
  readonly name: string
  readonly value: string
  readonly isSidecar: boolean
}

/**
 * Returns the endpoint variables of a container with a known value, by whether they lead to the sidecar, which listens
 * on these addresses.
 */
export function findEndpointAddresses(
  container: Container,
  listen: readonly string[],
  mode: RoutingMode | undefined,
): EndpointAddress[] {
  const origins = [
    ...listen.flatMap(findOrigins),
    ...(mode === 'env' ? [] : [METADATA_ORIGIN, `${METADATA_ORIGIN}:80`]),
  ]
  return ENDPOINT_ADDRESSES.flatMap((name) => {
    const value = getLiteralValue(findVariable(container, name))
    if (value === undefined || value === '') return []
    return { name, value, isSidecar: origins.some((origin) => isAtOrigin(value, origin)) }
  })
}

/** Returns the address on which an injected sidecar listens. */
export function formatListenAddress(port: number): string {
  return `127.0.0.1:${port}`
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
 * Compares the text. SDKs differ in how they parse an unusual URL, such as one with a backslash, and the kubelet
 * replaces `$(NAME)`, which may end the user of a URL and begin another host.
 */
function isAtOrigin(url: string, origin: string): boolean {
  const text = url.toLowerCase()
  return text === origin || text.startsWith(`${origin}/`)
}

/** The variables by which an SDK prefers another endpoint (R21); an identity's name is none. */
const ENDPOINT_SWITCHES = ENDPOINT_VARIABLES.filter((name) => name !== 'DEFAULT_IDENTITY_CLIENT_ID')

/** The variable with the address of the endpoint that a secret is for. */
const ENDPOINT_OF_SECRET: ReadonlyMap<string, string> = new Map([
  ['IDENTITY_HEADER', 'IDENTITY_ENDPOINT'],
  ['MSI_SECRET', 'MSI_ENDPOINT'],
])

export interface EndpointSwitch {
  readonly name: string
  /** True for the secret of an endpoint of the sidecar; false if it leads to another endpoint. */
  readonly isSecretOfSidecar: boolean
}

/**
 * Returns the variables that select an endpoint and that injection does not set itself, without those that have
 * the address of the sidecar.
 */
export function findEndpointSwitches(
  container: Container,
  variables: readonly EnvVar[],
  port: number,
): EndpointSwitch[] {
  const find = (name: string) => variables.find((entry) => entry.name === name)
  const ofSidecar = new Set(
    findEndpointAddresses(container, [formatListenAddress(port)], 'env').flatMap(
      ({ name, isSidecar }) => (isSidecar ? [name] : []),
    ),
  )
  const isOfSidecar = (name: string) =>
    ofSidecar.has(name) || (findVariable(container, name) === undefined && find(name) !== undefined)
  return ENDPOINT_SWITCHES.flatMap((name) => {
    const present = findVariable(container, name)
    const isWanted = JSON.stringify(present) === JSON.stringify(find(name))
    if (present === undefined || isWanted || ofSidecar.has(name)) return []
    const endpoint = ENDPOINT_OF_SECRET.get(name)
    return [{ name, isSecretOfSidecar: endpoint !== undefined && isOfSidecar(endpoint) }]
  })
}
