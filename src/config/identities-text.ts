/** The identities file as far as a configuration wants to know of it; its parser is loaded on demand. */
import { readRegularFile } from '../lib/files.ts'
import type { IdentityEntry } from './identities-schema.ts'
import type { Given } from './settings.ts'

/** Room for more identities than a pod has use for, and too little for YAML that takes long to read. */
const MAX_FILE_BYTES = 131_072

export type ReadText = (path: string) => Promise<string>

/** The text of an identities file, or a little more of it than is allowed. */
export const readIdentitiesFile: ReadText = (path) => readRegularFile(path, MAX_FILE_BYTES + 1)

/** What a file holds, or what is wrong with it. */
export interface FileEntries {
  readonly path: string
  readonly text: string
  readonly entries: readonly IdentityEntry[]
  readonly mistakes: readonly string[]
}

/** Reads the file at `path`, which the settings in `given` stand behind. */
export async function readFileEntries(
  path: string,
  given: Given,
  readText: ReadText,
): Promise<FileEntries> {
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    const mistakes = [`WIMDS_CONFIG: ${path} cannot be read${reason}`]
    return { path, text: '', entries: [], mistakes }
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    return { path, text, entries: [], mistakes: [`WIMDS_CONFIG: ${path} is larger than 128 KiB`] }
  }
  // The YAML parser is loaded by those alone who have a file.
  const { readIdentities } = await import('./identities-file.ts')
  const { AZURE_TENANT_ID: tenantId, AZURE_FEDERATED_TOKEN_FILE: tokenFile } = given
  const { entries, mistakes } = readIdentities(text, {
    ...(tenantId !== undefined && { tenantId }),
    ...(tokenFile !== undefined && { tokenFile }),
  })
  const placed = mistakes.map((mistake) => `WIMDS_CONFIG: ${path}:${mistake}`)
  return { path, text, entries, mistakes: placed }
}
