/** Finds the variables of an app's container that do not lead its SDKs to the sidecar. */
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { type RoutingMode, TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { UNSUPPORTED_PROTOCOL_VARIABLES } from '../../lib/sdk-variables.ts'
import { formatListenAddress } from './app-environment.ts'
import type { Plan } from './injection-plan.ts'
import { type Container, findVariable, getLiteralValue } from '../../kubernetes/pod.ts'

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

/** A variable by which the SDKs of a container get no token of the sidecar. */
interface EndpointProblem {
  /**
   * True in mode env, and for unsupported protocols. In the other modes programs that ask 169.254.169.254 still get
   * tokens, so it is a warning.
   */
  readonly isRejected: boolean
  /** A sentence with its fix. */
  readonly text: string
}

/** Returns the container's variables that select an endpoint and do not lead to the sidecar. */
export function findEndpointProblems(container: Container, plan: Plan): EndpointProblem[] {
  const { mode } = plan.settings
  return [...ENDPOINT_PATHS.keys()].flatMap((name) => {
    const problem = findProblem(name, container, plan)
    const isRejected = mode === 'env' || Object.hasOwn(UNSUPPORTED_PROTOCOL_VARIABLES, name)
    const text = `the container ${container.name} sets ${name}${problem}`
    return problem === undefined ? [] : [{ isRejected, text }]
  })
}

function findProblem(name: string, container: Container, plan: Plan): string | undefined {
  const { mode, port } = plan.settings
  const present = findVariable(container, name)
  const value = getLiteralValue(present)
  // SDKs take an empty variable for none, and then ask the metadata address.
  if (present === undefined || (value === '' && mode !== 'env')) return undefined
  const listen = formatListenAddress(port)
  const values = findValues(name, { listen: [listen], mode, hasIdentityHeader: true })
  if (values.includes(normalize(value))) {
    const hasAnswer =
      plan.identityHeader !== undefined || !normalize(value).endsWith(TOKEN_PATHS.appService)
    return hasAnswer
      ? undefined
      : ', and the sidecar has no secret for it. Fix: name its Secret in wimds.io/identity-header-secret'
  }
  const own = values.filter((each) => each.includes(listen) && !each.endsWith(TOKEN_PATHS.imds))
  const alternatives = own.length === 0 ? '' : `, set it to ${own.join(' or ')}`
  return `, and SDKs that read it never ask the sidecar. Fix: remove the variable${alternatives}, or list the container in wimds.io/skip-containers`
}
