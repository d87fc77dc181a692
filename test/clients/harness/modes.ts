/** The modes of the matrix: how a client finds its managed identity endpoint, and which identity it requests. */
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
  'injected-env',
  'vm-extension',
] as const

export type ModeName = (typeof MODE_NAMES)[number]

export interface Mode {
  /** The protocol of the request. `--modes` accepts it or the mode's name. */
  readonly protocol: 'imds' | 'app-service' | 'cloud-shell'
  /** True when the client connects to 169.254.169.254:80, which requires a network namespace. */
  readonly needsLinkLocal: boolean
  /** The identity of the expected token. */
  readonly identity: TestIdentity
  /** KIND and ID on the driver's command line. Empty: the default identity. */
  readonly selector: readonly string[]
  /** Variables of the client's environment. */
  readonly environment: (endpoints: Endpoints) => Readonly<Record<string, string>>
}

const imds = {
  protocol: 'imds',
  needsLinkLocal: true,
  identity: DEFAULT_IDENTITY,
  selector: [],
  environment: () => ({}),
} as const satisfies Mode

const named = { ...imds, identity: NAMED_IDENTITY } as const
const onLoopback = { ...imds, needsLinkLocal: false } as const

export const MODES: Readonly<Record<ModeName, Mode>> = {
  system: imds,
  'client-id': { ...named, selector: ['client-id', NAMED_IDENTITY.clientId] },
  'object-id': { ...named, selector: ['object-id', NAMED_IDENTITY.objectId] },
  'resource-id': {
    ...named,
    selector: ['resource-id', NAMED_IDENTITY.resourceId],
  },
  'host-override': {
    ...onLoopback,
    environment: ({ origin }) => ({ AZURE_POD_IDENTITY_AUTHORITY_HOST: origin }),
  },
  'app-service-2019': {
    ...onLoopback,
    protocol: 'app-service',
    environment: ({ origin, identityHeader }) => ({
      IDENTITY_ENDPOINT: `${origin}/msi/token`,
      IDENTITY_HEADER: identityHeader,
    }),
  },
  'app-service-2017': {
    ...onLoopback,
    protocol: 'app-service',
    environment: ({ origin, identityHeader }) => ({
      MSI_ENDPOINT: `${origin}/msi/token`,
      MSI_SECRET: identityHeader,
    }),
  },
  'cloud-shell': {
    ...onLoopback,
    protocol: 'cloud-shell',
    environment: ({ origin }) => ({ MSI_ENDPOINT: `${origin}/oauth2/token` }),
  },
  // All that injection sets, and nothing that a person configures.
  'injected-env': {
    ...onLoopback,
    protocol: 'app-service',
    environment: ({ injected }) => injected,
  },
  // The port is part of the protocol. Only in a namespace is it certain to be free.
  'vm-extension': { ...imds, protocol: 'cloud-shell' },
}
