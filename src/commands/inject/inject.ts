/** `wimds inject`: adds the sidecar to manifests, without access to a cluster. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { allContainers } from '../../kubernetes/injector/pod.ts'
import { releaseImages } from '../../kubernetes/injector/settings.ts'
import {
  type InjectedManifests,
  injectManifests,
  isWorkload,
  type ManifestFile,
  type ObjectReport,
} from '../../kubernetes/manifests/inject-manifests.ts'
import { type Flags, parseFlags } from '../../lib/args.ts'
import { DOCS_URL, VERSION } from '../../version.ts'
import { printError } from '../print-error.ts'
import { INJECT } from '../declarations/inject.ts'
import type { CommandIo } from '../io.ts'
import { readManifests } from '../manifest-files.ts'
import { parseInjectOptions } from './options.ts'
import { formatDocument, formatObjects, formatUnsupported } from './report.ts'
import { findKustomizations, findPlaceholders } from './unfinished-input.ts'

/**
 * Prints the injected manifests, and on standard error what was done to each object. Returns 0, or 1 if one
 * cannot be injected, or with `--strict` if none is. Throws `UsageError`.
 */
export async function inject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, INJECT.flags)
  const options = parseInjectOptions(flags)
  const output = flags.has('diff') ? 'diff' : flags.value('output')
  const { files, problems: unreadable } = await readManifests(flags.positionals, io)
  const injected = injectManifests(files, options)
  const { objects } = injected
  const failures = [...unreadable, ...injected.problems]
  const problems = [
    ...failures,
    ...(flags.has('strict') && failures.length === 0 ? findOmissions(objects) : []),
  ]
  const warnings = [
    ...injected.warnings,
    ...findPlaceholders(injected.pods),
    ...findUnpublishedImages(injected, flags),
  ]
  const lines = flags.has('quiet') ? [] : [...formatObjects(objects), ...findWaitingPods(injected)]
  // With --quiet only beside a problem, which it may explain.
  if (!flags.has('quiet') || problems.length > 0) lines.push(...findKustomizations(objects))
  printError(io, 'wimds inject', ...lines, ...formatUnsupported(objects), ...warnings, ...problems)
  if (failures.length === 0 && !objects.some(isWorkload)) {
    printError(io, 'wimds inject', describeNothing(files))
  }
  if (output === 'json') io.stdout.write(formatDocument(injected, problems))
  if (problems.length > 0) return 1
  if (output === 'diff') io.stdout.write(injected.files.map(formatDiff).join(''))
  if (output === undefined || output === 'yaml') {
    io.stdout.write(joinDocuments(injected.files.map(({ result }) => result)))
  }
  return 0
}

/** Returns the warning that nothing in the input can have the sidecar. */
function describeNothing(files: readonly ManifestFile[]): string {
  return files.every(({ source }) => source.trim() === '')
    ? 'warning: the input is empty. Fix: check the command or the file that it comes from'
    : 'warning: there is no workload in the input. Fix: pass the manifest of a Deployment, a Job, a Pod or another object with a pod template'
}

/** Returns what `--strict` takes for a failure: an unsupported kind, or that nothing in the input has the sidecar. */
function findOmissions(objects: readonly ObjectReport[]): string[] {
  if (objects.some(({ outcome }) => outcome === 'unsupported')) {
    return [
      '--strict: an object of an unsupported kind is not injected. Fix: correct its kind or apiVersion, or pass --path',
    ]
  }
  if (objects.some(({ outcome }) => outcome === 'injected' || outcome === 'unchanged')) return []
  return [
    '--strict: nothing is injected. Fix: pass a file with a workload that has apiVersion and kind and does not opt out',
  ]
}

/** Returns a note on the node agent if a manifest has a pod of mode node. */
function findWaitingPods({ pods }: InjectedManifests): string[] {
  if (!pods.some(({ metadata }) => metadata?.annotations?.['wimds.io/injected'] === 'node'))
    return []
  return [
    'note: the pods of mode node wait in Init until a node agent on their node routes them. Fix: install it, such as by nodeAgent.enabled=true of the chart',
  ]
}

/** Warns of the default images where a pod has got them: those of this version are not published. */
function findUnpublishedImages(
  { pods }: InjectedManifests,
  flags: Pick<Flags<keyof typeof INJECT.flags>, 'has'>,
): string[] {
  const { image, redirectImage } = releaseImages(VERSION)
  const images = new Set(pods.flatMap(allContainers).map((container) => container['image']))
  const used = (
    [
      ['image', image],
      ['redirect-image', redirectImage],
    ] as const
  ).filter(([flag, name]) => !flags.has(flag) && images.has(name))
  if (used.length === 0) return []
  const names = used.map(([, name]) => name).join(' and ')
  const fix = `build your own (${DOCS_URL}/install.md) and pass ${used.map(([flag]) => `--${flag}`).join(' and ')}`
  return [`warning: ${names} ${used.length === 1 ? 'is' : 'are'} not published yet. Fix: ${fix}`]
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
