/** Reads the files that people name on the command line. */
import { ConfigError } from './errors.ts'
import { describeFileError } from './describe-error.ts'
import { readWholeFile } from './files.ts'

/** Reads a whole regular file that a flag or setting names. Throws a `ConfigError` with path, reason and fix. */
export async function readNamedFile(path: string): Promise<string> {
  try {
    return await readWholeFile(path)
  } catch (error) {
    throw new ConfigError(describeFileError(path, error), { cause: error })
  }
}
