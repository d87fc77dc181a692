/** Reads a file that others write, without trusting that it is small, or a file at all. */
import { constants, type FileHandle, open } from 'node:fs/promises'

/**
 * The beginning of a regular file, `maxBytes` at most. A pipe or a device is not waited for. Throws the
 * system's error, or one with the code `EFTYPE` for what is not a regular file.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EFTYPE' })
    return await readUpTo(file, maxBytes)
  } finally {
    await file.close()
  }
}

async function readUpTo(file: FileHandle, size: number): Promise<string> {
  const buffer = Buffer.alloc(size)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, size - length)
    length += bytesRead
    if (bytesRead === 0 || length === size) return buffer.toString('utf8', 0, length)
  }
}
