/** Mistakes that are collected, so that all of them are told at once. */
import { ConfigError } from '../errors.ts'
import { scrub } from '../secret.ts'

/**
 * What `read` gives; undefined if it fails by a mistake, which is noted, a line each. What is no
 * mistake is thrown on: by default, all but a `ConfigError`.
 */
export async function noting<T>(
  mistakes: string[],
  read: () => Promise<T>,
  isMistake = isConfigError,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isMistake(error)) throw error
    mistakes.push(...messageOf(error).split('\n'))
    return undefined
  }
}

export function isConfigError(error: unknown): boolean {
  return error instanceof ConfigError
}

/** What went wrong, for people. It may name a file, or repeat what another server said. */
export function messageOf(error: unknown): string {
  return scrub(error instanceof Error ? error.message : String(error))
}
