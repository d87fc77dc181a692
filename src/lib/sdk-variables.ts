/**
 * The environment variables by which SDKs find a managed identity endpoint. Each variable is a switch:
 * its presence selects a protocol, and some change the meaning of others (R21).
 */
import type { Problem } from './errors.ts'
import { METADATA_IP } from './hosts.ts'
import { TOKEN_PATHS } from './sidecar-interface.ts'

/** The values that the variables are built from. */
export interface Endpoint {
  /** Origin of the sidecar, such as `http://127.0.0.1:64169`. */
  readonly origin: string
  /** The secret of the App Service endpoint. */
  readonly identityHeader: string
  /** The client id that Azure ML's clients send. */
  readonly clientId: string
}

type Variables = Readonly<Record<string, string>>

/** The variables of each set, by the name that `wimds env --for` takes. */
export const VARIABLE_SETS = {
  imds: ({ origin }) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }),
  'app-service': ({ origin, identityHeader }) => ({
    IDENTITY_ENDPOINT: `${origin}${TOKEN_PATHS.appService}`,
    IDENTITY_HEADER: identityHeader,
  }),
  'app-service-2017': ({ origin, identityHeader }) => ({
    MSI_ENDPOINT: `${origin}${TOKEN_PATHS.appService}`,
    MSI_SECRET: identityHeader,
  }),
  'azure-ml': ({ origin, identityHeader, clientId }) => ({
    MSI_ENDPOINT: `${origin}${TOKEN_PATHS.appService}`,
    MSI_SECRET: identityHeader,
    DEFAULT_IDENTITY_CLIENT_ID: clientId,
  }),
  'cloud-shell': ({ origin }) => ({ MSI_ENDPOINT: `${origin}${TOKEN_PATHS.cloudShell}` }),
} as const satisfies Record<string, (endpoint: Endpoint) => Variables>

/** The variables whose value is the secret of App Service's endpoint. */
export const IDENTITY_HEADER_NAMES: ReadonlySet<string> = new Set(['IDENTITY_HEADER', 'MSI_SECRET'])

export type VariableSet = keyof typeof VARIABLE_SETS

/** Returns true for the name of a set. */
export function isVariableSet(name: string): name is VariableSet {
  return Object.hasOwn(VARIABLE_SETS, name)
}

export const VARIABLE_SET_NAMES = Object.keys(VARIABLE_SETS).filter(isVariableSet)

/**
 * Variables that lead SDKs to a protocol that the sidecar does not speak. They take precedence over most sets, so a container
 * with such a variable never reaches the sidecar.
 */
export const UNSUPPORTED_PROTOCOL_VARIABLES = {
  IMDS_ENDPOINT: 'Azure Arc',
  IDENTITY_SERVER_THUMBPRINT: 'Service Fabric',
} as const

const NOWHERE: Endpoint = { origin: '', identityHeader: '', clientId: '' }

/** Every variable that selects a protocol. The variables outside the chosen sets must be unset. */
export const ENDPOINT_VARIABLES: ReadonlySet<string> = new Set([
  ...VARIABLE_SET_NAMES.flatMap((name) => Object.keys(VARIABLE_SETS[name](NOWHERE))),
  ...Object.keys(UNSUPPORTED_PROTOCOL_VARIABLES),
])

/**
 * Returns a problem for each pair of sets that cannot be combined. Only `cloud-shell` conflicts: the
 * real App Service sets both of its sets, and every other protocol takes precedence over `imds`.
 */
export function findSetConflicts(sets: readonly VariableSet[]): Problem[] {
  if (!sets.includes('cloud-shell')) return []
  return sets.flatMap((set) => {
    if (set === 'imds' || set === 'cloud-shell') return []
    const reason =
      set === 'app-service'
        ? 'SDKs differ in whether they check IDENTITY_ENDPOINT or MSI_ENDPOINT first'
        : 'both set MSI_ENDPOINT, to different values'
    return [{ problem: `cloud-shell and ${set} conflict: ${reason}`, fix: 'give one of the two' }]
  })
}

/** The hosts of the sidecar and of IMDS. Many clients would otherwise send even these requests to a proxy (R20). */
export const UNPROXIED_HOSTS = [METADATA_IP, 'localhost', '127.0.0.1']

export const NO_PROXY_NAMES = ['NO_PROXY', 'no_proxy'] as const

/**
 * Adds `UNPROXIED_HOSTS` to the value of `NO_PROXY` or `no_proxy`. If `value` is unset or empty, starts from `other`, the value
 * of the other variable, because the new value would override it. Returns a single `*` unchanged: for curl it means all hosts
 * only if nothing else is listed.
 */
export function addNoProxyHosts(value: string | undefined, other: string | undefined): string {
  const current = (value?.trim() || other?.trim()) ?? ''
  if (current === '*') return current
  const hosts = new Set(current.split(/[,\s]+/))
  const missing = UNPROXIED_HOSTS.filter((host) => !hosts.has(host))
  return [current.replace(/,$/, ''), ...missing].filter((part) => part !== '').join(',')
}
