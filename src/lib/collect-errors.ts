/** Collects errors of configuration, so that all of them are reported at once. */
import { ConfigError } from '../errors.ts'
import { errorMessage } from './describe-error.ts'

/**
 * Returns what `read` resolves to. If it throws an error that `isProblem` accepts (by default a
 * `ConfigError`), adds each line of its message to `problems` and returns undefined; rethrows others.
 */
export async function collectErrors<T>(
  problems: string[],
  read: () => Promise<T>,
  isProblem = isConfigError,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isProblem(error)) throw error
    problems.push(...errorMessage(error).split('\n'))
    return undefined
  }
}

export function isConfigError(error: unknown): boolean {
  return error instanceof ConfigError
}
