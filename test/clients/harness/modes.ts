/** The ways in which a client can be told where its managed identity endpoint is. */
import type { Endpoints } from './stack.ts'
import { DEFAULT_IDENTITY, NAMED_IDENTITY, type TestIdentity } from './identities.ts'

export const MODE_NAMES = [
  'system',
  'client-id',
  'object-id',
  'resource-id',
  'host-override',
  'app-service-2019',
  'app-service-2017',
  'cloud-shell',
  'vm-extension',
] as const

export type ModeName = (typeof MODE_NAMES)[number]

export interface Mode {
  readonly title: string
  /** The protocol it needs of the sidecar; `--modes` takes this or the mode's own name. */
  readonly dialect: 'imds' | 'app-service' | 'cloud-shell'
  /** True when the client speaks to 169.254.169.254:80, which takes a namespace of our own. */
  readonly needsLinkLocal: boolean
  /** The identity that has to answer. */
  readonly identity: TestIdentity
  /** KIND and ID on the driver's command line; none asks for the default identity. */
  readonly selector: readonly string[]
  /** What is set in the client's environment. */
  readonly environment: (endpoints: Endpoints) => Readonly<Record<string, string>>
}

const imds = {
  dialect: 'imds',
  needsLinkLocal: true,
  identity: DEFAULT_IDENTITY,
  selector: [],
  environment: () => ({}),
} as const satisfies Omit<Mode, 'title'>

const named = { ...imds, identity: NAMED_IDENTITY } as const
const byVariable = { ...imds, needsLinkLocal: false } as const

export const MODES: Readonly<Record<ModeName, Mode>> = {
  system: { ...imds, title: 'IMDS' },
  'client-id': { ...named, title: 'client id', selector: ['client-id', NAMED_IDENTITY.clientId] },
  'object-id': { ...named, title: 'object id', selector: ['object-id', NAMED_IDENTITY.objectId] },
  'resource-id': {
    ...named,
    title: 'resource id',
    selector: ['resource-id', NAMED_IDENTITY.resourceId],
  },
  'host-override': {
    ...byVariable,
    title: 'host override',
    environment: ({ origin }) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }),
  },
  'app-service-2019': {
    ...byVariable,
    title: 'App Service 2019',
    dialect: 'app-service',
    environment: ({ origin, identityHeader }) => ({
      IDENTITY_ENDPOINT: `${origin}/msi/token`,
      IDENTITY_HEADER: identityHeader,
    }),
  },
  'app-service-2017': {
    ...byVariable,
    title: 'App Service 2017',
    dialect: 'app-service',
    environment: ({ origin, identityHeader }) => ({
      MSI_ENDPOINT: `${origin}/msi/token`,
      MSI_SECRET: identityHeader,
    }),
  },
  'cloud-shell': {
    ...byVariable,
    title: 'Cloud Shell',
    dialect: 'cloud-shell',
    environment: ({ origin }) => ({ MSI_ENDPOINT: `${origin}/oauth2/token` }),
  },
  // The port is part of the protocol, so it takes a namespace where it is sure to be free.
  'vm-extension': { ...imds, title: 'port 50342', dialect: 'cloud-shell' },
}
