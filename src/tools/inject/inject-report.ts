/** Reports what `wimds inject` and `wimds uninject` did to each object, and prints the manifests. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { type EditedManifests, formatPlace, type ObjectReport } from './manifests/edit-manifests.ts'
import type { Flags } from '../../lib/args.ts'
import { printError } from '../../lib/print-error.ts'
import { VERSION } from '../../lib/version.ts'
import type { CommandIo } from '../../lib/command.ts'

interface Messages {
  readonly lines: readonly string[]
  readonly warnings: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Prints what was done on standard error, and the manifests, or what `-o` asks for; only JSON if there are problems.
 * Returns the exit code.
 */
export function reportManifests(
  io: CommandIo,
  command: 'inject' | 'uninject',
  flags: Pick<Flags<'output'>, 'value'>,
  edited: EditedManifests,
  { lines, warnings, problems }: Messages,
): number {
  const { files, objects } = edited
  const unsupported = formatUnsupported(objects)
  printError(io, `wimds ${command}`, ...lines, ...unsupported, ...warnings, ...problems)
  const output = flags.value('output')
  if (output === 'json') io.stdout.write(formatDocument(edited, problems))
  if (problems.length > 0) return 1
  if (output === 'diff') io.stdout.write(files.map(formatDiff).join(''))
  if (output === undefined || output === 'yaml') {
    io.stdout.write(joinDocuments(files.map(({ result }) => result)))
  }
  return 0
}

/** Returns a line for each object that is injected or unchanged on purpose; none with `--quiet`. */
export function formatObjects(
  objects: readonly ObjectReport[],
  flags: Pick<Flags<'quiet'>, 'has'>,
): string[] {
  if (flags.has('quiet')) return []
  return objects
    .filter(({ outcome }) => outcome !== 'rejected' && outcome !== 'unsupported')
    .map((object) => `${formatPlace(object)}: ${[object.outcome, ...object.reasons].join(': ')}`)
}

/** Returns a warning for each object whose kind is not known to have a pod template. */
function formatUnsupported(objects: readonly ObjectReport[]): string[] {
  return objects
    .filter(({ outcome }) => outcome === 'unsupported')
    .map((object) => `${formatPlace(object)}: warning: ${object.reasons.join(' ')}`)
}

/** Returns the warning that nothing in the input can have the sidecar; none if a workload can. */
export function findNothing({ files, objects }: EditedManifests): string[] {
  if (objects.some(({ isWorkload }) => isWorkload)) return []
  return files.every(({ source }) => source.trim() === '')
    ? ['warning: the input is empty. Fix: check the command or the file that it comes from']
    : [
        'warning: there is no workload in the input. Fix: pass the manifest of a Deployment, a Job, a Pod or another object with a pod template',
      ]
}

/** Returns the document that `-o json` prints. */
function formatDocument({ objects }: EditedManifests, problems: readonly string[]): string {
  const document = {
    schemaVersion: 1,
    version: VERSION,
    ok: problems.length === 0,
    objects,
    problems,
  }
  return `${JSON.stringify(document, null, 2)}\n`
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
