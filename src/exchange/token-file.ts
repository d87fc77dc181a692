/** Reads a projected token from its file, without trusting that it is one. */
import { constants, type FileHandle, open } from 'node:fs/promises'

/** A projected token is 1 to 2 kB; what is longer is something else. */
export const MAX_TOKEN_BYTES = 65_536

/**
 * The text of a token file, of which no more is read than shows that it is too long. Opened anew each
 * time, so that it follows the kubelet's swap of a symbolic link; a pipe or a device is not waited for.
 * Throws the system's error, or one with the code `EFTYPE` for what is not a regular file.
 */
export async function readTokenFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EFTYPE' })
    return await readUpTo(file, MAX_TOKEN_BYTES + 1)
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
