/** `wimds inject`: adds the sidecar to manifests, without access to a cluster. */
import { readRecord } from '../../injection/injector/injection-record.ts'
import { allContainers } from '../../kubernetes/pod.ts'
import {
  findUnknownVariables,
  imagesIn,
  PUBLIC_REGISTRY,
} from '../../injection/injector/injection-settings.ts'
import type { EditedManifests, ObjectReport } from './manifests/edit-manifests.ts'
import { injectManifests } from './manifests/inject-manifests.ts'
import { parseFlags } from '../../lib/args.ts'
import { DOCS_URL, IS_RELEASED } from '../../lib/version.ts'
import type { CommandIo } from '../../lib/command.ts'
import { readManifests } from '../manifest-files.ts'
import { INJECT, listFiles, parseInjectOptions } from './options.ts'
import { findNothing, formatObjects, reportManifests } from './inject-report.ts'

export { INJECT } from './options.ts'

/**
 * Prints the injected manifests, and on standard error what was done to each object. Returns 0, or 1 if one
 * cannot be injected, or with `--strict` if none is. Throws `UsageError`.
 */
export async function inject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, INJECT.flags, Infinity)
  const options = parseInjectOptions(flags)
  const { files, problems: unreadable } = await readManifests(listFiles(flags), io)
  const injected = injectManifests(files, options)
  const { objects } = injected
  const failures = [...unreadable, ...injected.problems]
  const problems = [
    ...failures,
    ...(flags.has('strict') && failures.length === 0 ? findOmissions(objects) : []),
  ]
  const warnings = [
    ...injected.warnings,
    ...findUnknownVariables(options.settings.sidecarEnv).map((text) => `warning: ${text}`),
    ...findUnpublishedImages(injected),
    ...(failures.length === 0 ? findNothing(injected) : []),
  ]
  const lines = [
    ...formatObjects(objects, flags),
    ...(flags.has('quiet') ? [] : findWaitingPods(injected)),
  ]
  return reportManifests(io, 'inject', flags, injected, { lines, warnings, problems })
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
function findWaitingPods({ pods }: EditedManifests): string[] {
  if (!pods.some((pod) => readRecord(pod)?.mode === 'node')) return []
  return [
    'note: the pods of mode node wait in Init until a node agent on their node serves them. Fix: install it, such as by nodeAgent.enabled=true of the chart',
  ]
}

/** Warns of the public images where a pod has got them and this version is not a release. */
function findUnpublishedImages({ pods }: EditedManifests): string[] {
  if (IS_RELEASED) return []
  const images = new Set(pods.flatMap(allContainers).map((container) => container['image']))
  const used = Object.values(imagesIn(PUBLIC_REGISTRY)).filter((image) => images.has(image))
  if (used.length === 0) return []
  const verb = used.length === 1 ? 'is' : 'are'
  const fix = `build your own (${DOCS_URL}/install.html) and pass --image-registry`
  return [`warning: ${used.join(' and ')} ${verb} not published yet. Fix: ${fix}`]
}
