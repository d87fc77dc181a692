/** Reads a projected token from its file, without trusting that it is one. */
import { readRegularFile } from '../lib/files.ts'

/** A projected token is 1 to 2 kB; what is longer is something else. */
export const MAX_TOKEN_BYTES = 65_536

/**
 * The text of a token file, of which no more is read than shows that it is too long. Opened anew each
 * time, so that it follows the kubelet's swap of a symbolic link. Throws as `readRegularFile` does.
 */
export async function readTokenFile(path: string): Promise<string> {
  return readRegularFile(path, MAX_TOKEN_BYTES + 1)
}
