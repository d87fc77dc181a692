/** Reads files that users name or other programs write. Such a file may be large, a pipe or a device. */
import { close, constants, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import { ConfigError } from './errors.ts'
import { describeFileError } from './describe-error.ts'

// Not node:fs/promises, which loads readline: 2 ms of a sidecar's start.
const openFile = promisify(open)
const statFile = promisify(fstat)
const readFile = promisify(read)
const closeFile = promisify(close)

const CHUNK_BYTES = 65_536
/** Enough for any file that a setting names: a distribution's CA bundle has 300 kB. */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * Reads a regular file as UTF-8, at most its first `maxBytes`. Does not wait for a pipe or a device. Throws the system's error,
 * or an error with the code `EFTYPE` if the path is not a regular file. On a file system that hangs, the read blocks one of
 * Node's four threads. If all four are blocked, Node reads no file and resolves no name. Callers that read repeatedly must
 * therefore share one read (single flight).
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<string> {
  const file = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await statFile(file)
    if (!stats.isFile()) throw createSystemError('EFTYPE', 'not a regular file', path)
    return await readUpTo(file, maxBytes)
  } finally {
    await closeFile(file)
  }
}

/** Reads a whole regular file. Throws like `readRegularFile`, or `EFBIG` above 4 MiB. */
export async function readWholeFile(path: string): Promise<string> {
  const text = await readRegularFile(path, MAX_BYTES + 1)
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw createSystemError('EFBIG', 'larger than 4 MiB', path)
  }
  return text
}

async function readUpTo(file: number, maxBytes: number): Promise<string> {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, maxBytes))
  const chunks: Buffer[] = []
  for (let left = maxBytes; left > 0;) {
    const { bytesRead } = await readFile(file, chunk, 0, Math.min(chunk.length, left), null)
    if (bytesRead === 0) break
    chunks.push(Buffer.from(chunk.subarray(0, bytesRead)))
    left -= bytesRead
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Creates an error with the code and message format of Node's system errors. */
export function createSystemError(code: string, reason: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${reason}, open '${path}'`), { code })
}

/** Reads a whole regular file that a flag or setting names. Throws a `ConfigError` with path, reason and fix. */
export async function readNamedFile(path: string): Promise<string> {
  try {
    return await readWholeFile(path)
  } catch (error) {
    throw new ConfigError(describeFileError(path, error), { cause: error })
  }
}
