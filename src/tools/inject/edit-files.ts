/** Edits the files of `wimds inject` and `wimds uninject`, and prints them and what was done to each object. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import type { Flags } from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'
import { UsageError } from '../../lib/errors.ts'
import { printError } from '../../lib/describe-error.ts'
import { type ManifestArguments, readManifests } from '../manifest-files.ts'
import { type EditedManifests, editManifests, formatPlace } from './manifests/edit-manifests.ts'
import type { InjectionOptions, ObjectReport } from './manifests/edit-object.ts'

export const OUTPUT = {
  short: 'o',
  value: 'FORMAT',
  choices: ['yaml', 'diff'],
  help: 'yaml (the default): the manifests; diff: what would change, as a unified diff',
} as const

export const QUIET = {
  short: 'q',
  help: 'print problems and warnings, but not what was done to each object',
} as const

interface Editing {
  readonly io: CommandIo
  readonly command: 'inject' | 'uninject'
  readonly flags: Pick<Flags<'output' | 'quiet'>, 'value' | 'has'>
  readonly manifests: ManifestArguments
  /** Undefined: what injection added is removed. */
  readonly injection?: InjectionOptions
  /** Bad usage that is reported only if nothing else is wrong. */
  readonly usage?: readonly string[]
}

/** The remarks on the edited manifests, besides what was done to each object. */
interface Remarks {
  readonly notes: readonly string[]
  readonly warnings: readonly string[]
  /** The problems that are reported only if there are no others. */
  readonly omissions: readonly string[]
}

/**
 * Prints on standard error what was done, and on standard output, if there are no problems, the manifests or what would change.
 * Returns the exit code. Throws a `UsageError` for bad usage that was passed on.
 */
export async function editFiles(
  { io, command, flags, manifests, injection, usage = [] }: Editing,
  remark?: (edited: EditedManifests) => Remarks,
): Promise<number> {
  const { files, problems: unreadable } = await readManifests(manifests.names, io)
  const edited = editManifests(files, injection, manifests.templatePaths)
  const { objects } = edited
  const failures = [...unreadable, ...edited.problems]
  if (failures.length === 0 && usage.length > 0) throw new UsageError(usage)
  const { notes = [], warnings = [], omissions = [] } = remark?.(edited) ?? {}
  const problems = failures.length > 0 ? failures : omissions
  const done = [
    ...formatObjects(objects, 'injected', 'uninjected', 'unchanged', 'skipped'),
    ...notes,
  ]
  printError(
    io,
    `wimds ${command}`,
    ...(flags.has('quiet') ? [] : done),
    ...formatObjects(objects, 'unsupported'),
    ...edited.warnings,
    ...[...warnings, ...(failures.length > 0 ? [] : findNothing(edited))].map(
      (warning) => `warning: ${warning}`,
    ),
    ...problems,
  )
  if (problems.length > 0) return 1
  const isDiff = flags.value('output') === 'diff'
  io.stdout.write(
    isDiff
      ? edited.files.map(formatDiff).join('')
      : joinDocuments(edited.files.map(({ result }) => result)),
  )
  return 0
}

/** Returns a line for each object with one of these outcomes. */
function formatObjects(
  objects: readonly ObjectReport[],
  ...outcomes: readonly ObjectReport['outcome'][]
): string[] {
  return objects
    .filter(({ outcome }) => outcomes.includes(outcome))
    .map((object) => {
      const outcome = object.outcome === 'unsupported' ? 'warning' : object.outcome
      return `${formatPlace(object)}: ${[outcome, ...object.reasons].join(': ')}`
    })
}

/** Returns why nothing in the input can have the sidecar; none if a workload can. */
function findNothing({ files, objects }: EditedManifests): string[] {
  if (objects.some(({ isWorkload }) => isWorkload)) return []
  return files.every(({ source }) => source.trim() === '')
    ? ['the input is empty. Fix: check the command or the file that it comes from']
    : [
        'there is no workload in the input. Fix: pass the manifest of a Deployment, a Job, a Pod or another object with a pod template',
      ]
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
