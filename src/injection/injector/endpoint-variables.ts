/**
 * The endpoint variables of SDKs (R21) in the application's containers: creates them in mode env, and checks whether the variables
 * that a container sets itself lead to the sidecar.
 */
import { METADATA_ORIGIN } from '../../lib/hosts.ts'
import { UNSUPPORTED_PROTOCOL_VARIABLES } from '../../lib/sdk-variables.ts'
import { type RoutingMode, TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { type Container, type EnvVar, findVariable, getLiteralValue } from '../../kubernetes/pod.ts'

/** The addresses and the secret by which the containers of a pod reach its sidecar. */
export interface SidecarEndpoint {
  /** The addresses on which the sidecar listens. */
  readonly listen: readonly string[]
  /** In every mode but `env` the metadata address leads to the sidecar too. */
  readonly mode: RoutingMode
  /** The sidecar's WIMDS_IDENTITY_HEADER. If undefined or empty, the sidecar does not serve the endpoint of App Service. */
  readonly identityHeader: EnvVar | undefined
}

/** Returns the address on which an injected sidecar listens. */
export function formatListenAddress(port: number): string {
  return `127.0.0.1:${port}`
}

/** The source of the secret of App Service's endpoint: each pod has another uid, and all its containers have the same. */
export const POD_UID = { fieldRef: { fieldPath: 'metadata.uid' } }

const IMDS_HOST = 'AZURE_POD_IDENTITY_AUTHORITY_HOST'

/** The variables of the real App Service, in pairs of an endpoint and its secret. */
const PAIRS = [
  ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER'],
  ['MSI_ENDPOINT', 'MSI_SECRET'],
] as const

/**
 * Returns the variables that lead the SDKs of a container to the sidecar in mode env, except those that the container sets itself.
 * Leaves out variables that would change the meaning of the container's own. If the container sets the endpoint of another protocol,
 * these are both pairs of App Service. If it sets a secret that is not the sidecar's, this is the endpoint of that secret.
 */
export function createEndpointVariables(
  container: Container,
  { listen: [address = ''], mode, identityHeader }: SidecarEndpoint,
): EnvVar[] {
  if (mode !== 'env') return []
  const own = (name: string) => findVariable(container, name)
  const isOtherProtocol = PAIRS.some(([name]) => {
    const value = getLiteralValue(own(name))
    return own(name) !== undefined && !normalize(value).endsWith(TOKEN_PATHS.appService)
  })
  const pairs = isServed(identityHeader) && !isOtherProtocol ? PAIRS : []
  const wanted = pairs.filter(([, secret]) => !differs(own(secret), identityHeader))
  const origin = `http://${address}`
  const variables = [
    { name: IMDS_HOST, value: origin },
    ...wanted.flatMap(([endpoint, secret]) => [
      { name: endpoint, value: `${origin}${TOKEN_PATHS.appService}` },
      { ...identityHeader, name: secret },
    ]),
  ]
  return variables.filter(({ name }) => own(name) === undefined)
}

/** Returns true if the sidecar serves App Service's endpoint. */
function isServed(identityHeader: EnvVar | undefined): boolean {
  return identityHeader !== undefined && getLiteralValue(identityHeader) !== ''
}

/**
 * Returns true if a container's secret is not the sidecar's. A value from a Secret is unknown here, so it may equal a value that
 * the operator has set.
 */
function differs(own: EnvVar | undefined, sidecar: EnvVar | undefined): boolean {
  if (own === undefined) return false
  const [one, other] = [getLiteralValue(own), getLiteralValue(sidecar)]
  return one !== undefined && other !== undefined
    ? one !== other
    : isPodUid(own) !== isPodUid(sidecar)
}

function isPodUid(entry: EnvVar | undefined): boolean {
  return JSON.stringify(entry?.['valueFrom'] ?? null).includes('"metadata.uid"')
}

/** The variables whose value is the address of an endpoint (R21), with the paths that it may have. */
const ENDPOINT_PATHS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  // SDKs append the path of IMDS.
  [IMDS_HOST, ['']],
  // No SDK asks for the path of IMDS here, but scripts do.
  ['IDENTITY_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.imds]],
  ['MSI_ENDPOINT', [TOKEN_PATHS.appService, TOKEN_PATHS.cloudShell, TOKEN_PATHS.imds]],
  ...Object.keys(UNSUPPORTED_PROTOCOL_VARIABLES).map((name) => [name, []] as const),
])

/** Returns true if a variable of the container leads SDKs to the sidecar. */
export function leadsToSidecar(container: Container, endpoint: SidecarEndpoint): boolean {
  return [...ENDPOINT_PATHS.keys()].some((name) =>
    findValues(name, endpoint).includes(normalize(getLiteralValue(findVariable(container, name)))),
  )
}

/** Returns the values of a variable that lead SDKs to the sidecar. */
function findValues(name: string, { listen, mode }: SidecarEndpoint): string[] {
  const origins = [
    ...listen.flatMap(findOrigins),
    ...(mode === 'env' ? [] : [METADATA_ORIGIN, `${METADATA_ORIGIN}:80`]),
  ]
  const paths = ENDPOINT_PATHS.get(name) ?? []
  return origins.flatMap((origin) => paths.map((path) => `${origin}${path}`))
}

/** Returns the origins that lead the containers of the pod to this address of the sidecar. */
function findOrigins(address: string): string[] {
  const port = address.slice(address.lastIndexOf(':') + 1).trim()
  const isIpv6 = address.trim().startsWith('[')
  return ['127.0.0.1', 'localhost', ...(isIpv6 ? ['[::1]'] : [])].map(
    (host) => `http://${host}:${port}`,
  )
}

/**
 * Returns the URL in lower case, without repeated and trailing slashes, since these make no difference to the sidecar (R11). Does
 * not parse the URL: SDKs parse an unusual one, such as one with a backslash, in different ways. The kubelet replaces `$(NAME)`,
 * whose value may contain another host.
 */
function normalize(url = ''): string {
  return url
    .toLowerCase()
    .replaceAll(/(?<!:)\/{2,}/g, '/')
    .replace(/\/$/, '')
}

/** Returns a problem for each endpoint variable with which SDKs of the container get no token from the sidecar. */
export function findEndpointProblems(container: Container, endpoint: SidecarEndpoint) {
  return [...ENDPOINT_PATHS.keys()].flatMap((name) => {
    const found = findProblem(name, container, endpoint)
    if (found === undefined) return []
    const problem = `the container ${container.name} ${found.problem}`
    // In the other modes programs that ask 169.254.169.254 still get tokens, so it is a warning.
    const isRejected =
      endpoint.mode === 'env' || Object.hasOwn(UNSUPPORTED_PROTOCOL_VARIABLES, name)
    return [{ ...found, isRejected, problem }]
  })
}

function findProblem(name: string, container: Container, endpoint: SidecarEndpoint) {
  const present = findVariable(container, name)
  const value = getLiteralValue(present)
  // SDKs treat an empty variable as unset, and then ask the metadata address.
  if (present === undefined || (value === '' && endpoint.mode !== 'env')) return undefined
  if (!findValues(name, endpoint).includes(normalize(value))) {
    const own = (ENDPOINT_PATHS.get(name) ?? [])
      .filter((path) => path !== TOKEN_PATHS.imds)
      .flatMap((path) => endpoint.listen.map((address) => `http://${address}${path}`))
    const alternatives = own.length === 0 ? '' : `, set it to ${own.join(' or ')}`
    return {
      code: 'sdk_variables_missing' as const,
      problem: `sets ${name}, so SDKs that read it never ask the sidecar`,
      fix: `remove the variable${alternatives}, or list the container in wimds.io/skip-containers`,
    }
  }
  return normalize(value).endsWith(TOKEN_PATHS.appService)
    ? findSecretProblem(name, container, endpoint)
    : undefined
}

/** Finds a secret of App Service's endpoint that the sidecar rejects: with 401, or with 404 if the sidecar has no secret. */
function findSecretProblem(
  name: string,
  container: Container,
  { mode, identityHeader }: SidecarEndpoint,
) {
  if (!isServed(identityHeader)) {
    return {
      code: 'invalid_secret_header' as const,
      problem: `sets ${name}, but the sidecar does not serve that endpoint, since its WIMDS_IDENTITY_HEADER is not set`,
      fix: `remove ${name}${mode === 'env' ? '' : ', or choose mode env (wimds.io/mode), which sets both'}`,
    }
  }
  const secret = PAIRS.find(([endpoint]) => endpoint === name)?.[1] ?? ''
  if (!differs(findVariable(container, secret), identityHeader)) return undefined
  return {
    code: 'invalid_secret_header' as const,
    problem: `sets ${secret} to a value other than the sidecar's, so the sidecar answers 401`,
    fix: `remove ${name} and ${secret}${mode === 'env' ? ', since injection sets both' : ''}`,
  }
}
