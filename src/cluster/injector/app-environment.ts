/** The environment of the app's containers: SDK endpoints in mode env, NO_PROXY and more in every mode. */
import { isDeepStrictEqual } from 'node:util'
import { addNoProxyHosts, NO_PROXY_NAMES, UNPROXIED_HOSTS } from '../../lib/no-proxy.ts'
import { VARIABLE_SETS } from '../../lib/sdk-variables.ts'
import { type Container, type EnvVar, findVariable, getLiteralValue } from './pod.ts'

/** The variable by which DefaultAzureCredential chooses among its credentials. */
export const SDK_CREDENTIALS = 'AZURE_TOKEN_CREDENTIALS'
/** What the annotation wimds.io/sdk-credentials adds. */
export const MANAGED_IDENTITY_ONLY = { name: SDK_CREDENTIALS, value: 'ManagedIdentityCredential' }

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

/**
 * What injection adds to a container that sets neither. Their orders differ, as in no container that set one of them
 * (both then have one value), so that `wimds uninject` can tell them from an author's.
 */
export const ADDED_NO_PROXY: readonly EnvVar[] = [
  { name: NO_PROXY_NAMES[0], value: UNPROXIED_HOSTS.join(',') },
  { name: NO_PROXY_NAMES[1], value: UNPROXIED_HOSTS.toReversed().join(',') },
]

/** Returns the index of the NO_PROXY that injection added; -1 if it added none, or the list was changed since. */
export function findAddedNoProxy(env: readonly EnvVar[]): number {
  return env.findIndex((_, index) =>
    isDeepStrictEqual(env.slice(index, index + ADDED_NO_PROXY.length), ADDED_NO_PROXY),
  )
}

/**
 * Returns the variables that are injection's if they have the values that it sets: all but those before the NO_PROXY
 * that it added, which the author set.
 */
export function findAddedVariables(env: readonly EnvVar[]): ReadonlySet<EnvVar> {
  return new Set(env.slice(Math.max(0, findAddedNoProxy(env))))
}

/**
 * Returns the environment in the order of an earlier injection, so that injecting again does not move a variable
 * behind those whose values refer to it. If NO_PROXY is added now, what follows it stays after it.
 */
export function keepOrder(env: EnvVar[], earlier: readonly EnvVar[]): EnvVar[] {
  if (findAddedNoProxy(env) !== findAddedNoProxy(earlier)) return env
  const places = new Map<EnvVar | string, number>()
  for (const [index, entry] of earlier.entries()) places.set(entry, index).set(entry.name, index)
  // By name: an entry that was created again.
  const findPlace = (entry: EnvVar) => places.get(entry) ?? places.get(entry.name) ?? earlier.length
  return env.toSorted((one, other) => findPlace(one) - findPlace(other))
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
  if (entries.every((entry) => entry === undefined)) {
    return mayHaveNoProxyFromEnvFrom(container) ? env : [...env, ...ADDED_NO_PROXY]
  }
  const [upper, lower] = entries.map(getLiteralValue)
  const extended = new Map([
    [NO_PROXY_NAMES[0], addNoProxyHosts(upper, lower)],
    [NO_PROXY_NAMES[1], addNoProxyHosts(lower, upper)],
  ] as const)
  const isSetElsewhere = entries.some((entry) => entry !== undefined && !isPlain(entry))
  return [
    ...env.map((entry) => {
      const value = isNoProxyName(entry.name) && isPlain(entry) && extended.get(entry.name)
      return typeof value === 'string' ? { ...entry, value } : entry
    }),
    ...[...extended].flatMap(([name, value], index) =>
      !isSetElsewhere && entries[index] === undefined ? { name, value } : [],
    ),
  ]
}

/** Returns true if NO_PROXY can come only with `envFrom`, whose variables an entry of the same name would hide. */
export function mayHaveNoProxyFromEnvFrom(container: Container): boolean {
  const isSet = NO_PROXY_NAMES.some((name) => findVariable(container, name) !== undefined)
  return !isSet && (container.envFrom?.length ?? 0) > 0
}

const isPlain = (entry: EnvVar) => getLiteralValue(entry) !== undefined

function isNoProxyName(name: string): name is (typeof NO_PROXY_NAMES)[number] {
  return NO_PROXY_NAMES.some((each) => each === name)
}
