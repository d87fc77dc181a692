/** The key files of Azure Arc's challenge: who can read the directory may have a token. */
import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Secret } from '../secret.ts'

interface KeyOptions {
  readonly directory: string
  /** How long a key can be used, in milliseconds. */
  readonly lifetimeMs?: number
  /** Keys that wait to be used, at most; the oldest goes first. */
  readonly max?: number
}

/** Keys that are each good for one request. */
export interface ArcKeys {
  /** Writes a new key and gives the path of its file. Throws what writing fails with. */
  readonly issue: () => Promise<string>
  /** Whether this is a key that waits to be used; from then on it is used. */
  readonly redeem: (key: Secret) => boolean
  /** Removes all files. */
  readonly close: () => Promise<void>
}

/** As the agent's own files: for its user and its group, which in a pod is the `fsGroup`. */
const FILE_MODE = 0o440
const LIFETIME_MS = 60_000
const MAX_KEYS = 256

/** Keeps keys in files of the directory, which has to be there, and to be read by the applications too. */
export function arcKeys({
  directory,
  lifetimeMs = LIFETIME_MS,
  max = MAX_KEYS,
}: KeyOptions): ArcKeys {
  // By the key's digest, oldest first.
  const waiting = new Map<string, { path: string; timer: NodeJS.Timeout }>()

  return {
    async issue() {
      const key = new Secret(randomBytes(32).toString('base64url'))
      const path = join(directory, `${randomUUID()}.key`)
      // Clients refuse a file that is not in the directory, not named *.key or above 4096 bytes (R26).
      await writeFile(path, key.reveal(), { mode: FILE_MODE, flag: 'wx' })
      await chmod(path, FILE_MODE)
      const digest = key.sha256()
      waiting.set(digest, { path, timer: setTimeout(() => forget(digest), lifetimeMs).unref() })
      const [oldest] = waiting.keys()
      if (waiting.size > max && oldest !== undefined) forget(oldest)
      return path
    },
    redeem: (key) => forget(key.sha256()),
    async close() {
      const paths = [...waiting.values()].map(({ path, timer }) => {
        clearTimeout(timer)
        return path
      })
      waiting.clear()
      await Promise.all(paths.map((path) => rm(path, { force: true })))
    },
  }

  /** True if there was such a key. */
  function forget(digest: string): boolean {
    const found = waiting.get(digest)
    if (found === undefined) return false
    clearTimeout(found.timer)
    waiting.delete(digest)
    // A file that stays behind is worth nothing any more.
    rm(found.path, { force: true }).catch(() => {})
    return true
  }
}
