/** `wimds inject`: adds the sidecar to manifests, without access to a cluster. */
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { injectManifests, type ManifestFile } from '../../kubernetes/manifests/inject-manifests.ts'
import { parseFlags } from '../../lib/args.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { printError } from '../../lib/print-error.ts'
import { INJECT } from '../declarations/inject.ts'
import type { CommandIo } from '../io.ts'
import { parseInjectOptions } from './options.ts'

/** Prints the injected manifests. Returns 0, or 1 if one cannot be injected. Throws `UsageError`. */
export async function inject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, INJECT.flags)
  const options = parseInjectOptions(flags)
  const { files, problems: unreadable } = await readManifests(flags.positionals, io)
  const injected = injectManifests(files, options)
  const problems = [...unreadable, ...injected.problems]
  const warnings = injected.warnings.map((warning) => `warning: ${warning}`)
  printError(io, 'wimds inject', ...warnings, ...problems)
  if (problems.length > 0) return 1
  if (injected.workloads === 0) {
    printError(io, 'wimds inject', 'warning: there is no workload in the input')
  }
  const output = flags.has('diff')
    ? injected.files.map(formatDiff).join('')
    : joinDocuments(injected.files.map(({ result }) => result))
  io.stdout.write(output)
  return 0
}

function formatDiff(file: { name: string; source: string; result: string }): string {
  const { name, source, result } = file
  if (source === result) return ''
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY }
  return createTwoFilesPatch(name, name, source, result, undefined, undefined, options)
}

/** Joins the files into one stream of documents with at most one byte order mark. */
function joinDocuments(texts: readonly string[]): string {
  return texts.reduce((stream, text) => {
    if (stream === '') return text
    const ended = stream.endsWith('\n') ? stream : `${stream}\n`
    const next = text.replace(/^\uFEFF/, '')
    return next.startsWith('---') ? ended + next : `${ended}---\n${next}`
  }, '')
}

interface Manifests {
  readonly files: readonly ManifestFile[]
  /** A sentence for each file that cannot be read or is not UTF-8. */
  readonly problems: readonly string[]
}

/** Reads every file; `-` is standard input. */
async function readManifests(names: readonly string[], io: CommandIo): Promise<Manifests> {
  const files: ManifestFile[] = []
  const problems: string[] = []
  for (const given of names) {
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
