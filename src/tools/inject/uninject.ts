/** `wimds uninject`: removes the sidecar from manifests, without access to a cluster. */
import { UsageError } from '../../lib/errors.ts'
import { uninjectManifests } from './manifests/inject-manifests.ts'
import { type CommandDeclaration, parseFlags } from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'
import { readManifests } from '../manifest-files.ts'
import { INJECT, listFiles, parseTemplatePaths } from './options.ts'
import { findNothing, formatObjects, reportManifests } from './inject-report.ts'

const { filename, path, output, quiet } = INJECT.flags

export const UNINJECT = {
  name: 'uninject',
  group: 'Prepare manifests',
  summary: 'remove the sidecar from Kubernetes manifests',
  arguments: INJECT.arguments,
  description: `Removes what wimds inject or the webhook added to the workloads in the manifests: containers, init containers, volumes, variables and the annotation wimds.io/injected. Comments stay, and documents that were not injected keep their bytes. It prints the result, and on standard error what was done to each object.

Your own annotations stay; if the cluster has the webhook, delete wimds.io/inject. A variable that was edited after the injection stays, with a warning. An empty list or map that injection filled, such as volumes: [], is removed.

FILE is a file, a directory, a pattern such as 'apps/**/*.yaml', or - for standard input.`,
  flags: { filename, path, output, quiet },
  examples: [
    'wimds uninject deployment.yaml | kubectl apply -f -',
    'kubectl get deployment orders -o yaml | wimds uninject -o diff -',
  ],
  exitCodes: { 1: 'a manifest cannot be read, or a workload cannot be edited' },
} as const satisfies CommandDeclaration

/**
 * Prints the manifests without the sidecar, and on standard error what was done to each object. Returns 0, or 1 if
 * one cannot be read or edited. Throws `UsageError`.
 */
export async function uninject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, UNINJECT.flags, Infinity)
  const usage = [...flags.problems]
  if (listFiles(flags).length === 0) usage.push('name a manifest, or - for standard input')
  const templatePaths = parseTemplatePaths(flags, usage)
  if (usage.length > 0) throw new UsageError(usage)
  const { files, problems: unreadable } = await readManifests(listFiles(flags), io)
  const uninjected = uninjectManifests(files, templatePaths)
  const problems = [...unreadable, ...uninjected.problems]
  const lines = formatObjects(uninjected.objects, flags)
  const warnings = [
    ...uninjected.warnings,
    ...(problems.length === 0 ? findNothing(uninjected) : []),
  ]
  return reportManifests(io, 'uninject', flags, uninjected, { lines, warnings, problems })
}
