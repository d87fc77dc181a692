/** Files that settings name. */
import { ConfigError } from '../errors.ts'
import { readWholeFile } from '../lib/files.ts'
import { scrub } from '../secret.ts'

/**
 * The text of the file that the setting names; undefined if it names none. Throws `ConfigError`, also
 * for what is not a regular file or is larger than any setting's would be.
 */
export async function readSetting(name: string, path: string): Promise<string>
export async function readSetting(
  name: string,
  path: string | undefined,
): Promise<string | undefined>
export async function readSetting(
  name: string,
  path: string | undefined,
): Promise<string | undefined> {
  if (path === undefined) return undefined
  try {
    return await readWholeFile(path)
  } catch (error) {
    throw new ConfigError(`${name}: cannot read ${scrub(path)} (${reasonOf(error)})`, {
      cause: error,
    })
  }
}

/** `ENOENT: no such file or directory`, without the path that the system adds. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : 'unknown').replace(/, .*/s, '')
}
