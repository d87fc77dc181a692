/** Reads the manifests that a command is given. */
import { isUtf8 } from 'node:buffer'
import type { Dirent } from 'node:fs'
import { glob, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ManifestFile } from './inject/manifests/edit-manifests.ts'
import { formatProblem } from '../lib/errors.ts'
import { describeFileError } from '../lib/describe-error.ts'
import type { CommandIo } from '../lib/command.ts'

/**
 * Reads files, all files in and below a directory, and files that match a pattern; `-` is standard input. Returns a problem
 * for each file that cannot be read or is not UTF-8.
 */
export async function readManifests(names: readonly string[], io: Pick<CommandIo, 'stdin'>) {
  const files: ManifestFile[] = []
  const problems: string[] = []
  const found = await Promise.all(names.map((name) => findManifests(name, problems)))
  for (const given of found.flat()) {
    const name = given === '-' ? 'stdin' : given
    try {
      const bytes =
        given === '-' ? await buffer(io.stdin ?? Readable.from([])) : await readFile(given)
      const problem = findEncodingProblem(bytes)
      if (problem === undefined) files.push({ name, source: bytes.toString('utf8') })
      else problems.push(formatProblem({ setting: name, problem, fix: 'save it as UTF-8' }))
    } catch (error) {
      problems.push(formatProblem(describeFileError(name, error)))
    }
  }
  return { files, problems }
}

const MANIFEST = /\.(?:ya?ml|json)$/i

/** Returns the manifests that a directory or a pattern names, in the order of their paths; else the name itself. */
async function findManifests(name: string, problems: string[]): Promise<string[]> {
  if (name === '-') return [name]
  try {
    if (!(await stat(name)).isDirectory()) return [name]
    const entries = await readdir(name, { recursive: true, withFileTypes: true })
    const paths = listFiles(entries).filter((path) => MANIFEST.test(path))
    if (paths.length === 0) {
      problems.push(
        formatProblem({
          setting: name,
          problem: 'no file in this directory ends with .yaml, .yml or .json',
          fix: 'name the directory of the manifests',
        }),
      )
    }
    return paths
  } catch {
    // The reader of a file reports that it does not exist.
    if (!isPattern(name)) return [name]
    const entries: Dirent[] = []
    for await (const entry of glob(name, { withFileTypes: true })) entries.push(entry)
    if (entries.length === 0) {
      const problem = 'no file matches this pattern'
      problems.push(formatProblem({ setting: name, problem, fix: 'check it, and the directory' }))
    }
    return listFiles(entries)
  }
}

const isPattern = (name: string): boolean => /[*?[{]/.test(name)

function listFiles(entries: readonly Dirent[]): string[] {
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
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
