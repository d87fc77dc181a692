/** Files that settings name. */
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../errors.ts'
import { scrub } from '../secret.ts'

/** The text of the file that the setting names; undefined if it names none. Throws `ConfigError`. */
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
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`${name}: cannot read ${scrub(path)}`, { cause: error })
  }
}
