/** Writes a token file the way the kubelet does, so that readers meet the same changes of it. */
import { chmod, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Secret } from '../../secret.ts'

export interface ProjectedTokenFile {
  /** What a pod reads: a symbolic link, `..data/NAME`. */
  readonly path: string
  /** Replaces the content in one atomic step. Calls that overlap take turns, as the kubelet's do. */
  write(token: Secret): Promise<void>
  /** The same for content that is no token: an empty or a broken file. */
  writeText(text: string): Promise<void>
}

interface FileOptions {
  readonly directory: string
  readonly name?: string
  readonly now?: () => number
}

/**
 * Prepares `directory` as a projected volume. Like the kubelet's AtomicWriter, each write makes a
 * new timestamped directory and moves the symbolic link `..data` onto it by a rename: a reader
 * sees the old file or the new one, never a part. A descriptor kept open goes stale.
 */
export function projectedTokenFile({
  directory,
  name = 'azure-identity-token',
  now = Date.now,
}: FileOptions): ProjectedTokenFile {
  const dataLink = join(directory, '..data')
  const path = join(directory, name)
  let last: Promise<unknown> = Promise.resolve()

  function writeText(text: string): Promise<void> {
    const written = last.then(() => replace(text))
    last = written.catch(() => undefined)
    return written
  }

  async function replace(text: string): Promise<void> {
    await mkdir(directory, { recursive: true })
    const previous = await linkTarget(dataLink)
    const current = await mkdtemp(join(directory, `..${timestamp(now())}.`))
    await chmod(current, 0o755)
    await writeFile(join(current, name), text, { mode: 0o644 })
    const newLink = join(directory, '..data_tmp')
    await rm(newLink, { force: true })
    await symlink(basename(current), newLink)
    await rename(newLink, dataLink)
    if ((await linkTarget(path)) === undefined) await symlink(join('..data', name), path)
    if (previous !== undefined) await rm(join(directory, previous), { recursive: true })
  }

  return { path, writeText, write: (token) => writeText(token.reveal()) }
}

/** Where a symbolic link points, or undefined when there is none. */
async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch {
    return undefined
  }
}

/** `2026_11_24_15_33_27`, the kubelet's form. */
const timestamp = (now: number): string =>
  new Date(now).toISOString().slice(0, 19).replaceAll(/[-T:]/gu, '_')
