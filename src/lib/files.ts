/** Reads a file that others write, without trusting that it is small, or a file at all. */
import { constants, type FileHandle, open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'

const CHUNK_BYTES = 65_536
/** Room for any file that a setting names: the bundle of a distribution's authorities has 300 kB. */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * The beginning of a regular file, `maxBytes` at most. A pipe or a device is not waited for. Throws the
 * system's error, or one with the code `EFTYPE` for what is not a regular file.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    await requireRegular(file, path)
    return await readUpTo(file, maxBytes)
  } finally {
    await file.close()
  }
}

/** The whole of a regular file, 4 MiB at most. Throws as `readRegularFile`, and `EFBIG` for a larger one. */
export async function readWholeFile(path: string): Promise<string> {
  const text = await readRegularFile(path, MAX_BYTES + 1)
  if (Buffer.byteLength(text) > MAX_BYTES) throw systemError('EFBIG', 'larger than 4 MiB', path)
  return text
}

async function requireRegular(file: FileHandle, path: string): Promise<void> {
  const stats = await file.stat()
  if (!stats.isFile()) throw systemError('EFTYPE', 'not a regular file', path)
}

async function readUpTo(file: FileHandle, maxBytes: number): Promise<string> {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, maxBytes))
  const decoder = new StringDecoder('utf8')
  let text = ''
  for (let left = maxBytes; left > 0;) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, left))
    if (bytesRead === 0) break
    text += decoder.write(chunk.subarray(0, bytesRead))
    left -= bytesRead
  }
  return text + decoder.end()
}

/** In the words of the system's own errors. */
function systemError(code: string, reason: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${reason}, open '${path}'`), { code })
}
