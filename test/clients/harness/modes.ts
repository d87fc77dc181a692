/** The modes of the matrix: how a client finds its managed identity endpoint, and which identity it requests. */
import type { Endpoints } from './stack.ts'
import { DEFAULT_IDENTITY, NAMED_IDENTITY, type TestIdentity } from './identities.ts'

interface Mode {
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
  needsLinkLocal: true,
  identity: DEFAULT_IDENTITY,
  selector: [],
  environment: () => ({}),
} as const satisfies Mode

const named = { ...imds, identity: NAMED_IDENTITY } as const
const onLoopback = { ...imds, needsLinkLocal: false } as const

export const MODES = {
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
    environment: ({ origin, identityHeader }) => ({
      IDENTITY_ENDPOINT: `${origin}/msi/token`,
      IDENTITY_HEADER: identityHeader,
    }),
  },
  'app-service-2017': {
    ...onLoopback,
    environment: ({ origin, identityHeader }) => ({
      MSI_ENDPOINT: `${origin}/msi/token`,
      MSI_SECRET: identityHeader,
    }),
  },
  'cloud-shell': {
    ...onLoopback,
    environment: ({ origin }) => ({ MSI_ENDPOINT: `${origin}/oauth2/token` }),
  },
  // Only the variables that injection sets.
  'injected-env': {
    ...onLoopback,
    environment: ({ injected }) => injected,
  },
  // The protocol fixes the port, which is certain to be free only in a network namespace.
  'vm-extension': imds,
} as const satisfies Record<string, Mode>

export type ModeName = keyof typeof MODES
