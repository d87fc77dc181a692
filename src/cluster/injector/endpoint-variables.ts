/** Finds out where the endpoint variables of an app's container lead its SDKs. */
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import { quote } from '../../sidecar/config/parsers.ts'
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { type RoutingMode, TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { ENDPOINT_VARIABLES, VARIABLE_SETS } from '../../lib/sdk-variables.ts'
import { formatListenAddress } from './app-environment.ts'
import type { Plan } from './plan.ts'
import { type Container, type EnvVar, findVariable, getLiteralValue } from './pod.ts'

/** The variables whose value is the address of an endpoint (R21), with the paths that it may have. */
const ENDPOINT_PATHS: ReadonlyMap<string, readonly string[]> = new Map([
  // SDKs append the path of IMDS.
  ['AZURE_POD_IDENTITY_AUTHORITY_HOST', ['']],
  // No SDK asks for the path of IMDS here, but scripts do.
  ['IDENTITY_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.imds]],
  ['MSI_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.cloudShell, TOKEN_PATHS.imds]],
])

/** A sidecar, as the other containers of its pod reach it. */
export interface SidecarEndpoint {
  /** The addresses that it listens on. */
  readonly listen: readonly string[]
  /** In every mode but `env`, and if it is not known, the metadata address leads to the sidecar too. */
  readonly mode: RoutingMode | undefined
  /** False if it has no secret for the App Service endpoint, which it then does not serve. */
  readonly hasIdentityHeader: boolean
}

/** Returns the sidecar of a pod that is to be injected. */
export function describeSidecar({
  settings: { mode, port },
  identityHeader,
}: Plan): SidecarEndpoint {
  const hasIdentityHeader = identityHeader !== undefined
  return { listen: [formatListenAddress(port)], mode, hasIdentityHeader }
}

/** A variable of a container with the address of an endpoint. */
export interface EndpointAddress {
  readonly name: string
  readonly value: string
  readonly leadsTo: EndpointTarget
}

/**
 * Where an endpoint variable leads. `no_secret` and `wrong_path` are at an address of the sidecar: a path that
 * it does not serve for lack of a secret, and one that it does not serve at all.
 */
type EndpointTarget = 'sidecar' | 'no_secret' | 'wrong_path' | 'elsewhere'

/** Returns the endpoint variables of a container with a known value, by where they lead. */
export function findEndpointAddresses(
  container: Container,
  { listen, mode, hasIdentityHeader }: SidecarEndpoint,
): EndpointAddress[] {
  const origins = [
    ...listen.flatMap(findOrigins),
    ...(mode === 'env' ? [] : [METADATA_ORIGIN, `${METADATA_ORIGIN}:80`]),
  ]
  return [...ENDPOINT_PATHS].flatMap(([name, paths]) => {
    const value = getLiteralValue(findVariable(container, name))
    if (value === undefined || value === '') return []
    const path = findPath(value, origins)
    const leadsTo = path === undefined ? 'elsewhere' : findTarget(paths, path, hasIdentityHeader)
    return { name, value, leadsTo }
  })
}

function findTarget(
  paths: readonly string[],
  path: string,
  hasIdentityHeader: boolean,
): EndpointTarget {
  if (!paths.includes(path)) return 'wrong_path'
  return path === TOKEN_PATHS.appService && !hasIdentityHeader ? 'no_secret' : 'sidecar'
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
 * Returns the path of a URL at one of the origins, in lower case and without superfluous slashes, as the sidecar
 * routes it (R11); undefined at another origin. Compares the text: SDKs differ in how they parse an unusual URL, such as one
 * with a backslash, and the kubelet replaces `$(NAME)`, which may end the user of a URL and begin another host.
 */
function findPath(url: string, origins: readonly string[]): string | undefined {
  const text = url.toLowerCase()
  const origin = origins.find((each) => text === each || text.startsWith(`${each}/`))
  return origin === undefined
    ? undefined
    : text
        .slice(origin.length)
        .replaceAll(/\/{2,}/g, '/')
        .replace(/\/$/, '')
}

/** The variables by which an SDK prefers another endpoint (R21); an identity's name is none. */
const ENDPOINT_SWITCHES = ENDPOINT_VARIABLES.filter((name) => name !== 'DEFAULT_IDENTITY_CLIENT_ID')

/** The variable with the address of the endpoint that a secret is for. */
const ENDPOINT_OF_SECRET: ReadonlyMap<string, string> = new Map([
  ['IDENTITY_HEADER', 'IDENTITY_ENDPOINT'],
  ['MSI_SECRET', 'MSI_ENDPOINT'],
])

/** A variable by which the SDKs of a container get no token of the sidecar. */
export interface EndpointProblem {
  readonly name: string
  readonly kind: Exclude<EndpointTarget, 'sidecar'> | 'other_secret'
}

/** Returns the container's variables that select an endpoint, and neither lead to the sidecar nor are its secret. */
export function findEndpointProblems(container: Container, plan: Plan): EndpointProblem[] {
  const { appVariables, identityHeader } = plan
  const addresses = findEndpointAddresses(container, describeSidecar(plan))
  const getTarget = (name: string) => addresses.find((address) => address.name === name)?.leadsTo

  function findSecretProblem(
    secret: EnvVar,
    endpoint: string,
  ): EndpointProblem['kind'] | undefined {
    const isAdded =
      findVariable(container, endpoint) === undefined &&
      appVariables.some(({ name }) => name === endpoint)
    const leadsTo = isAdded ? 'sidecar' : (getTarget(endpoint) ?? 'elsewhere')
    if (leadsTo === 'elsewhere') return 'elsewhere'
    // The problem is that of the endpoint.
    if (leadsTo !== 'sidecar') return undefined
    if (identityHeader === undefined) return 'no_secret'
    return isOtherSecret(secret, identityHeader) ? 'other_secret' : undefined
  }

  return ENDPOINT_SWITCHES.flatMap((name) => {
    const present = findVariable(container, name)
    if (present === undefined) return []
    const endpoint = ENDPOINT_OF_SECRET.get(name)
    const kind =
      endpoint === undefined
        ? (getTarget(name) ?? 'elsewhere')
        : findSecretProblem(present, endpoint)
    return kind === undefined || kind === 'sidecar' ? [] : { name, kind }
  })
}

/**
 * Returns true if two variables surely have different values. Values from Secrets and with `$(NAME)` are not known here, but
 * two Secrets hardly have the same one.
 */
function isOtherSecret(one: EnvVar, other: EnvVar): boolean {
  const [value, otherValue] = [one, other].map(getLiteralValue)
  if (value !== undefined && otherValue !== undefined) {
    return value !== otherValue && !`${value}${otherValue}`.includes('$(')
  }
  const [key, otherKey] = [one, other].map((entry) => SecretVariable.safeParse(entry).data)
  return key !== undefined && otherKey !== undefined && !isDeepStrictEqual(key, otherKey)
}

const SecretVariable = z.object({
  valueFrom: z.object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }) }),
})

/** Formats a problem as a sentence with its fix. */
export function formatEndpointProblem(
  container: Container,
  { name, kind }: EndpointProblem,
  { settings: { port } }: Plan,
): string {
  const value = quote(getLiteralValue(findVariable(container, name)) ?? '')
  const values = findValues(name, `http://${formatListenAddress(port)}`).join(' or ')
  const reasons = {
    elsewhere:
      ', which points its SDKs to another endpoint. Fix: remove the variable, or list the container in wimds.io/skip-containers',
    wrong_path: ` to ${value}, where the sidecar has no tokens. Fix: set it to ${values}`,
    no_secret:
      ', and the sidecar has no secret for it. Fix: name its Secret in wimds.io/identity-header-secret',
    other_secret:
      ' to another secret than that of the sidecar. Fix: take both from one key of one Secret, which wimds.io/identity-header-secret names',
  } as const satisfies Record<EndpointProblem['kind'], string>
  return `the container ${container.name} sets ${name}${reasons[kind]}`
}

/** Returns the values of a variable that lead SDKs to a sidecar that has a secret. */
function findValues(name: string, origin: string): string[] {
  const endpoint = { origin, identityHeader: '', clientId: '' }
  const values = Object.values(VARIABLE_SETS).flatMap((createSet) =>
    Object.entries(createSet(endpoint)).flatMap(([key, value]) => (key === name ? [value] : [])),
  )
  return [...new Set(values)]
}
