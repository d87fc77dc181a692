/** What the steps of a run share. */
import type { Folder } from '../../fixtures/folder.ts'
import type { Reader } from './reader.ts'

export interface Run {
  readonly reader: Reader
  readonly folder: Folder
  /** The origin of Entra ID. */
  readonly authority: string
  readonly location: string
  /** Calls it until it throws no error, for minutes: Entra ID and AKS apply changes late. */
  readonly repeat: <T>(attempt: () => Promise<T>) => Promise<T>
  /** Adds what the report must not contain, with the word that takes its place. */
  readonly hide: (identifier: string, word: string) => void
  readonly redact: (value: unknown) => unknown
}

export const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/** Returns a variable that the pages' commands have exported. */
export async function readVariable({ reader }: Run, name: string): Promise<string> {
  return (await reader.shell(`printf %s "\${${name}:-}"`)).trim()
}

/** Returns a token of the cluster for a ServiceAccount. */
export async function createAssertion(
  { reader }: Run,
  account: string,
  ...audiences: readonly string[]
): Promise<string> {
  const flags = audiences.map((audience) => `--audience ${audience}`).join(' ')
  return (await reader.shell(`kubectl create token ${account} --namespace shop ${flags}`)).trim()
}
