/**
 * The variables by which SDKs find a managed identity endpoint. They are switches: each set makes an
 * SDK speak one protocol, and some sets change how others are read (R21).
 */

/** What the variables say. */
export interface Endpoints {
  /** Of the main port, as `http://127.0.0.1:8000`. */
  readonly origin: string
  /** The secret of App Service and Service Fabric. */
  readonly identityHeader: string
  /** Of the Arc port. */
  readonly arcOrigin: string
  /** Of the Service Fabric port, and the SHA-1 of its certificate. */
  readonly fabricOrigin: string
  readonly thumbprint: string
  /** The identity that Azure ML's clients name. */
  readonly clientId: string
}

type Variables = Readonly<Record<string, string>>

const TOKEN_PATH = '/metadata/identity/oauth2/token'

/** The variables of each set. */
export const ENDPOINT_SETS = {
  imds: ({ origin }) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }),
  'app-service': ({ origin, identityHeader }) => ({
    IDENTITY_ENDPOINT: `${origin}/msi/token`,
    IDENTITY_HEADER: identityHeader,
  }),
  'app-service-2017': ({ origin, identityHeader }) => ({
    MSI_ENDPOINT: `${origin}/msi/token`,
    MSI_SECRET: identityHeader,
  }),
  'azure-ml': ({ origin, identityHeader, clientId }) => ({
    MSI_ENDPOINT: `${origin}/msi/token`,
    MSI_SECRET: identityHeader,
    DEFAULT_IDENTITY_CLIENT_ID: clientId,
  }),
  'cloud-shell': ({ origin }) => ({ MSI_ENDPOINT: `${origin}/oauth2/token` }),
  arc: ({ arcOrigin }) => ({
    IDENTITY_ENDPOINT: `${arcOrigin}${TOKEN_PATH}`,
    IMDS_ENDPOINT: arcOrigin,
  }),
  'service-fabric': ({ fabricOrigin, identityHeader, thumbprint }) => ({
    IDENTITY_ENDPOINT: `${fabricOrigin}${TOKEN_PATH}`,
    IDENTITY_HEADER: identityHeader,
    IDENTITY_SERVER_THUMBPRINT: thumbprint,
  }),
} as const satisfies Record<string, (endpoints: Endpoints) => Variables>

export type EndpointSet = keyof typeof ENDPOINT_SETS

export const SET_NAMES = Object.keys(ENDPOINT_SETS).filter(isSetName)

/** All variables that choose a protocol: those that are not in a chosen set have to be unset. */
export const SWITCHES = [
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
  'IDENTITY_ENDPOINT',
  'IDENTITY_HEADER',
  'IMDS_ENDPOINT',
  'IDENTITY_SERVER_THUMBPRINT',
  'MSI_ENDPOINT',
  'MSI_SECRET',
  'DEFAULT_IDENTITY_CLIENT_ID',
] as const

/** True for the name of one of the sets. */
export function isSetName(name: string): name is EndpointSet {
  return Object.hasOwn(ENDPOINT_SETS, name)
}

/** Why the sets cannot be set together, one sentence for each pair that cannot. */
export function conflictsOf(sets: readonly EndpointSet[]): string[] {
  return sets.flatMap((one, index) =>
    sets.slice(index + 1).flatMap((other) => conflictOf(one, other) ?? []),
  )
}

/** Sets that may stand side by side, beside `imds`, which all others go before. */
const COMPATIBLE: readonly (readonly EndpointSet[])[] = [
  // The real App Service sets both, and no client mistakes one for the other.
  ['app-service', 'app-service-2017'],
  ['app-service', 'azure-ml'],
  ['app-service-2017', 'azure-ml'],
]

function conflictOf(one: EndpointSet, other: EndpointSet): string | undefined {
  if (one === 'imds' || other === 'imds') return undefined
  if (COMPATIBLE.some((pair) => pair.includes(one) && pair.includes(other))) return undefined
  const shared = namesOf(one).filter((name) => namesOf(other).includes(name))
  if (shared.length > 0) {
    return `${one} and ${other} conflict: both set ${shared.join(' and ')}, each to something else`
  }
  return `${one} and ${other} conflict: an SDK takes whichever of ${namesOf(one)[0]} and ${namesOf(other)[0]} it looks for first, and SDKs differ in that`
}

const NOWHERE: Endpoints = {
  origin: '',
  identityHeader: '',
  arcOrigin: '',
  fabricOrigin: '',
  thumbprint: '',
  clientId: '',
}

function namesOf(set: EndpointSet): string[] {
  return Object.keys(ENDPOINT_SETS[set](NOWHERE))
}
