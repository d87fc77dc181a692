/** The parts that the steps of a run share. */
import type { Folder } from '../../fixtures/folder.ts'
import type { Reader } from './reader.ts'

export interface Run {
  readonly reader: Reader
  /** Runs the builds on this machine while the cluster is being created. */
  readonly builder: Reader
  readonly folder: Folder
  /** The origin of Entra ID. */
  readonly authority: string
  readonly location: string
  /** Calls `attempt` until it succeeds, for some minutes, since Entra ID and AKS apply changes late. */
  readonly repeat: <T>(attempt: () => Promise<T>) => Promise<T>
  /** Adds an identifier that the report must not contain, with the word that replaces it. */
  readonly hide: (identifier: string, word: string) => void
  readonly redact: (value: unknown) => unknown
}

export interface Step {
  readonly name: string
  /** True if all later steps need this one. */
  readonly isNeeded?: boolean
  /** Returns the observations. Throws an error if one is wrong. */
  readonly run: (run: Run) => Promise<unknown>
}

export const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/** The resource of all tokens. */
export const ARM = 'https://management.azure.com'

export function expectThat(isTrue: boolean, problem: string): void {
  if (!isTrue) throw new Error(problem)
}

/** Returns a variable that the pages' commands have exported. */
export async function readVariable({ reader }: Pick<Run, 'reader'>, name: string): Promise<string> {
  return (await reader.shell(`printf %s "\${${name}:-}"`)).trim()
}

/** Returns the issuer of the cluster's tokens. */
export async function findIssuer({ reader }: Pick<Run, 'reader'>): Promise<string> {
  const show = 'az aks show --resource-group "$GROUP" --name "$CLUSTER"'
  return (await reader.shell(`${show} --query oidcIssuerProfile.issuerUrl --output tsv`)).trim()
}

/** Returns a token of the cluster for the trusted ServiceAccount, or for another one. */
export async function createAssertion(
  { reader }: Pick<Run, 'reader'>,
  audience: string,
  isTrusted = true,
): Promise<string> {
  const account = isTrusted ? 'orders' : 'default'
  const create = `kubectl create token ${account} --namespace shop --audience ${audience}`
  return (await reader.shell(create)).trim()
}
