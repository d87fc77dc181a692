/** Collects errors of configuration, so that all of them are reported at once. */
import { ConfigError } from './errors.ts'
import { errorMessage } from './describe-error.ts'

/**
 * Returns what `read` resolves to. If it throws a `ConfigError`, adds each line of its message to `problems` and
 * returns undefined; rethrows other errors.
 */
export async function collectErrors<T>(
  problems: string[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...errorMessage(error).split('\n'))
    return undefined
  }
}
