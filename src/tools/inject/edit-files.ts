/** Edits the manifests of `wimds inject` and `wimds uninject`, and prints the result. */
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
  /** Absent: the command removes the sidecar. */
  readonly injection?: InjectionOptions
  /** The problems of flags that matter only if a workload is injected. */
  readonly usage?: readonly string[]
}

/** Lines about the edited manifests as a whole. */
interface Remarks {
  readonly notes: readonly string[]
  readonly warnings: readonly string[]
  /** The problems that are reported only if every manifest was read and edited. */
  readonly omissions: readonly string[]
}

/**
 * Edits the manifests. Prints on standard error what was done to each object. If there is no problem, prints the manifests, or
 * their changes, on standard output. Returns the exit code: 1 if there is a problem. Throws a `UsageError` with all problems if
 * `usage` is among them.
 */
export async function editFiles(
  { io, command, flags, manifests, injection, usage = [] }: Editing,
  remark?: (edited: EditedManifests) => Remarks,
): Promise<number> {
  const { files, problems: unreadable } = await readManifests(manifests.names, io)
  const edited = editManifests(files, injection, manifests.templatePaths)
  const { objects } = edited
  const failures = [...unreadable, ...edited.problems]
  const { notes = [], warnings = [], omissions = [] } = remark?.(edited) ?? {}
  const problems = failures.length > 0 ? failures : omissions
  // A manifest with a problem may have a workload.
  const mayInject = problems.length > 0 || edited.pods.length > 0
  if (mayInject && usage.length > 0) throw new UsageError([...problems, ...usage])
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

/** Returns the warning that the input has no workload, or nothing at all. */
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
