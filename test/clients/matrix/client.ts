/** What the matrix knows of a client. */
import type { ModeName } from '../harness/modes.ts'
import type { Command } from '../harness/run-process.ts'
import type { WorkspaceName } from './workspaces.ts'

export interface Client {
  readonly language: string
  /** The package, and what of it is used where it has several ways. */
  readonly name: string
  readonly version: string
  readonly workspace: WorkspaceName
  /** The driver in an installed workspace. */
  readonly command: (workspace: string) => Command
  /** What a driver with several ways to get a token is told first. */
  readonly variant?: string
  /** The one resource that the client can ask for; most take any. */
  readonly resource?: string
  /** The option that stands for AZURE_POD_IDENTITY_AUTHORITY_HOST, which the client does not read. */
  readonly hostOption?: string
  /** The modes that the client has. One that is not here cannot be asked of it. */
  readonly modes: readonly ModeName[]
  /** Servers beside the sidecar that it goes on to call. */
  readonly needs?: readonly ('arm' | 'blob-storage')[]
}

/** One client in one mode. */
export interface Row {
  readonly client: Client
  readonly mode: ModeName
}

export const IMDS_MODES = ['system', 'client-id', 'object-id', 'resource-id'] as const
export const STORAGE = 'https://storage.azure.com'

export const titleOf = ({ client, mode }: Row): string =>
  `${client.name} ${client.version}: ${mode}`
