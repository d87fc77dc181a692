/** Reads the manifests that a command is given. */
import { isUtf8 } from 'node:buffer'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ManifestFile } from '../kubernetes/manifests/inject-manifests.ts'
import { errorMessage } from '../lib/describe-error.ts'
import type { CommandIo } from './io.ts'

interface Manifests {
  readonly files: readonly ManifestFile[]
  /** A sentence for each file that cannot be read or is not UTF-8. */
  readonly problems: readonly string[]
}

/** Reads every file, and those of every directory and below it; `-` is standard input. */
export async function readManifests(
  names: readonly string[],
  io: Pick<CommandIo, 'stdin'>,
): Promise<Manifests> {
  const files: ManifestFile[] = []
  const problems: string[] = []
  for (const given of await expandDirectories(names)) {
    const name = given === '-' ? 'stdin' : given
    try {
      const bytes =
        given === '-' ? await buffer(io.stdin ?? Readable.from([])) : await readFile(given)
      const problem = findEncodingProblem(bytes)
      if (problem === undefined) files.push({ name, source: bytes.toString('utf8') })
      else problems.push(`${name}: ${problem}. Fix: save it as UTF-8`)
    } catch (error) {
      problems.push(`${name}: ${errorMessage(error)}`)
    }
  }
  return { files, problems }
}

const MANIFEST = /\.(?:ya?ml|json)$/i

/** Replaces each directory by the manifests in it and below it, in the order of their paths. */
async function expandDirectories(names: readonly string[]): Promise<string[]> {
  return (await Promise.all(names.map(findManifests))).flat()
}

async function findManifests(name: string): Promise<string[]> {
  if (name === '-') return [name]
  try {
    const entries = await readdir(name, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile() && MANIFEST.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
  } catch {
    // A file; or what cannot be read, which is reported when it is read as one.
    return [name]
  }
}

/** Returns why the bytes are not UTF-8 text; undefined if they are. */
function findEncodingProblem(bytes: Buffer): string | undefined {
  if (isUtf16(bytes)) return 'it is UTF-16, as > of Windows PowerShell writes it'
  if (isUtf8(bytes)) return undefined
  let line = 1
  for (let at = 0; at < bytes.length; line++) {
    const end = bytes.indexOf('\n', at)
    if (end === -1 || !isUtf8(bytes.subarray(at, end))) break
    at = end + 1
  }
  return `line ${line} is not UTF-8`
}

/** Recognizes UTF-16 by its byte order mark, or by a NUL, which no manifest has in its first two bytes. */
function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  return isMarked || first === 0 || second === 0
}
