/** The variables of the app's own containers: SDK endpoints in env mode, and NO_PROXY always. */
import { ENDPOINT_VARIABLES } from '../../sdk-variables.ts'
import { NO_PROXY_NAMES, addNoProxyHosts } from '../../lib/no-proxy.ts'
import { type Container, type EnvVar, envVar, plainValue } from './pod.ts'
import type { Plan } from './plan.ts'

/** What makes an SDK choose another endpoint than the one set here (R21); an identity's name does not. */
const LEADING = ENDPOINT_VARIABLES.filter((name) => name !== 'DEFAULT_IDENTITY_CLIENT_ID')

/** The container with what it needs to find the sidecar; what it had keeps its place. */
export function withAppEnvironment(container: Container, plan: Plan): Container {
  const wanted = endpointVariables(plan)
  const updated = (entry: EnvVar) =>
    (isOfEarlierInjection(entry, plan) && wanted.find(({ name }) => name === entry.name)) || entry
  const missing = wanted.filter(({ name }) => !envVar(container, name))
  const env = [...withoutProxy(container).map(updated), ...missing]
  return env.length === 0 ? container : { ...container, env }
}

/** The names of variables with which the container sends its SDKs elsewhere. Env mode only. */
export function conflictingVariables(container: Container, plan: Plan): string[] {
  const ours = new Map(endpointVariables(plan).map((entry) => [entry.name, entry]))
  return LEADING.filter((name) => {
    const theirs = envVar(container, name)
    if (theirs === undefined) return false
    const entry = ours.get(name)
    return entry === undefined || !(isSame(theirs, entry) || isOfEarlierInjection(theirs, plan))
  })
}

function endpointVariables({ settings, identityHeader }: Plan): EnvVar[] {
  return settings.mode === 'env' ? variablesFor(`127.0.0.1:${settings.port}`, identityHeader) : []
}

/** True for a variable as the injection wrote it that added the sidecar now in the pod. */
function isOfEarlierInjection(entry: EnvVar, { earlier }: Plan): boolean {
  const [address] = (earlier && plainValue(earlier, 'WIMDS_LISTEN'))?.split(',') ?? []
  if (earlier === undefined || address === undefined) return false
  const variables = variablesFor(address, envVar(earlier, 'WIMDS_IDENTITY_HEADER'))
  return variables.some((each) => isSame(each, entry))
}

function isSame(one: EnvVar, other: EnvVar): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function variablesFor(address: string, identityHeader: EnvVar | undefined): EnvVar[] {
  const origin = `http://${address}`
  const host = { name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: origin }
  if (identityHeader === undefined) return [host]
  return [
    host,
    { name: 'IDENTITY_ENDPOINT', value: `${origin}/msi/token` },
    { ...identityHeader, name: 'IDENTITY_HEADER' },
  ]
}

/**
 * The environment with our hosts in NO_PROXY, in both cases. A value that comes from a ConfigMap or
 * a Secret cannot be added to, and one that may come with `envFrom` must not be hidden: both are
 * left as they are.
 */
function withoutProxy(container: Container): EnvVar[] {
  const env = container.env ?? []
  const present = NO_PROXY_NAMES.filter((name) => envVar(container, name) !== undefined)
  const isReadable = present.every((name) => plainValue(container, name) !== undefined)
  const valueOf = (name: string, value: string | undefined) => {
    const other = NO_PROXY_NAMES.find((each) => each !== name) ?? ''
    return addNoProxyHosts(value, plainValue(container, other))
  }
  const extended = env.map((entry) => {
    if (!present.some((name) => name === entry.name)) return entry
    const value = plainValue({ ...container, env: [entry] }, entry.name)
    return value === undefined ? entry : { ...entry, value: valueOf(entry.name, value) }
  })
  const mayComeWithEnvFrom = present.length === 0 && (container.envFrom?.length ?? 0) > 0
  if (!isReadable || mayComeWithEnvFrom) return extended
  const missing = NO_PROXY_NAMES.filter((name) => !present.includes(name))
  return [...extended, ...missing.map((name) => ({ name, value: valueOf(name, undefined) }))]
}
