/** Creates directories. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../../lib/describe-error.ts'

/**
 * Creates the directory and those above it that are missing. Throws the system's error. The recursive `mkdir` of
 * Node never ends where the system has the parent and creates nothing in it, as in `/proc`.
 */
export async function createDirectory(path: string): Promise<void> {
  const error = await tryToCreate(path)
  if (error === undefined) return
  const parent = dirname(path)
  if (errorCode(error) !== 'ENOENT' || parent === path) throw error
  await createDirectory(parent)
  const stillFails = await tryToCreate(path)
  if (stillFails !== undefined) throw stillFails
}

/** Returns the error; undefined if the directory is there now. */
async function tryToCreate(path: string): Promise<Error | undefined> {
  try {
    await mkdir(path)
    return undefined
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const exists = errorCode(error) === 'EEXIST' && (await stat(path)).isDirectory()
    return exists ? undefined : error
  }
}
