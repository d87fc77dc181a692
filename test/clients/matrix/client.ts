/** The types of the matrix: a client, and a row, which is one client in one mode. */
import type { ModeName } from '../harness/modes.ts'
import type { Command } from '../harness/run-process.ts'
import type { WorkspaceName } from './workspaces.ts'

export interface Client {
  readonly language: string
  /** The package, and the credential if the package has several. */
  readonly name: string
  readonly version: string
  readonly workspace: WorkspaceName
  /** Returns the command of the driver, given its installed workspace. */
  readonly command: (workspace: string) => Command
  /** Selects a credential of a driver that has several. */
  readonly variant?: string
  /** The only resource that the client can request. Default: any. */
  readonly resource?: string
  /** The client's own option instead of AZURE_POD_IDENTITY_AUTHORITY_HOST. */
  readonly hostOption?: string
  /** The modes that the client supports; `injected-env` is added to those that it finds by a variable. */
  readonly modes: readonly ModeName[]
  /** True if the driver asks for a second token once the first one has ended (WIMDS_TEST_AGAIN_AFTER). */
  readonly asksAgain?: true
  /** True for a program that reads the instance document and gets no token. It must not find a machine of Azure. */
  readonly detects?: true
  /** True if the client calls Azurite with its token, which is in the workspace js-pinned. */
  readonly usesAzurite?: true
}

/** One client in one mode. */
export interface Row {
  readonly client: Client
  readonly mode: ModeName
}

/** The result of a row. */
export interface RowResult {
  readonly title: string
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Reason of a failed or skipped row. */
  readonly reason?: string | undefined
}

export const IMDS_MODES = ['system', 'client-id', 'object-id', 'resource-id'] as const
export const STORAGE = 'https://storage.azure.com'

/** Returns all modes of a client. A client that finds its endpoint by a variable gets tokens in an injected pod too. */
export const modesOf = ({ modes, hostOption }: Client): readonly ModeName[] =>
  modes.some((mode) => BY_VARIABLE.has(mode)) && hostOption === undefined
    ? [...modes, 'injected-env']
    : modes

const BY_VARIABLE = new Set<ModeName>([
  'host-override',
  'app-service-2019',
  'app-service-2017',
  'cloud-shell',
])

export const workspacesOf = ({ workspace, usesAzurite }: Client): readonly WorkspaceName[] =>
  usesAzurite === true ? [workspace, 'js-pinned'] : [workspace]

export const formatTitle = ({ client, mode }: Row): string =>
  `${client.language} ${client.name} ${client.version}: ${mode}`

/** Creates the two credentials of an Azure SDK: the one of managed identities, and DefaultAzureCredential. */
export const createPair = (
  sdk: Omit<Client, 'modes'>,
  managed: readonly ModeName[],
  byDefault: readonly ModeName[],
): readonly Client[] => [
  { ...sdk, name: `${sdk.name} ManagedIdentityCredential`, modes: managed },
  { ...sdk, name: `${sdk.name} DefaultAzureCredential`, variant: 'default', modes: byDefault },
]
