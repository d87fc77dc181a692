/** The manifests that are named on the command line, read so that no byte of them is lost. */
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ManifestFile } from '../../kubernetes/manifests/inject-manifests.ts'
import type { CommandIo } from '../io.ts'
import { messageOf } from '../../lib/collect-errors.ts'

export interface Sources {
  readonly files: readonly ManifestFile[]
  /** A sentence for each file that cannot be read, or is not UTF-8. */
  readonly mistakes: readonly string[]
}

/** Every file's text; `-` is standard input. */
export async function readSources(names: readonly string[], io: CommandIo): Promise<Sources> {
  const files: ManifestFile[] = []
  const mistakes: string[] = []
  for (const given of names) {
    const name = given === '-' ? 'stdin' : given
    try {
      const bytes =
        given === '-' ? await buffer(io.stdin ?? Readable.from([])) : await readFile(given)
      const mistake = encodingMistake(bytes)
      if (mistake === undefined) files.push({ name, source: bytes.toString('utf8') })
      else mistakes.push(`${name}: ${mistake}; save it as UTF-8`)
    } catch (error) {
      mistakes.push(`${name}: ${messageOf(error)}`)
    }
  }
  return { files, mistakes }
}

/** What would be read as other characters than were meant. */
function encodingMistake(bytes: Buffer): string | undefined {
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

/** By its byte order mark, or since no manifest begins with a NUL or has one for its second character. */
function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  return isMarked || first === 0 || second === 0
}
