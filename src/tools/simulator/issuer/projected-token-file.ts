/** Writes a token file as the kubelet does, with the same atomic replacement. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createSemaphore } from '../../../lib/semaphore.ts'

const NAME = 'azure-identity-token'

/**
 * Creates a projected volume in `directory`. Like the kubelet's AtomicWriter, each write creates a
 * timestamped directory and renames a symbolic link over `..data`: a reader gets the old file or the
 * new one, never a part. An open file descriptor keeps the old content.
 */
export function createProjectedTokenFile(directory: string, now: () => number = Date.now) {
  const dataLink = join(directory, '..data')
  const path = join(directory, NAME)
  const limit = createSemaphore({ maxConcurrent: 1 })

  async function replace(text: string): Promise<void> {
    await mkdir(directory, { recursive: true })
    const previous = await readlink(dataLink).catch(() => undefined)
    const current = await mkdtemp(join(directory, `..${formatTimestamp(now())}.`))
    await chmod(current, 0o755)
    await writeFile(join(current, NAME), text, { mode: 0o644 })
    const newLink = join(directory, '..data_tmp')
    await rm(newLink, { force: true })
    await symlink(basename(current), newLink)
    await rename(newLink, dataLink)
    if (!existsSync(path)) await symlink(join('..data', NAME), path)
    if (previous !== undefined) await rm(join(directory, previous), { recursive: true })
  }

  return {
    /** Path that a pod reads: a symbolic link to `..data/NAME`. */
    path,
    /** Replaces the content atomically. Concurrent calls run one after another. */
    write: (text: string) => limit(() => replace(text)),
  }
}

/** Formats a time as the kubelet does: `2026_11_24_15_33_27`. */
const formatTimestamp = (now: number): string =>
  new Date(now).toISOString().slice(0, 19).replaceAll(/[-T:]/gu, '_')
