/** `wimds uninject`: removes the sidecar from manifests, without access to a cluster. */
import { type CommandDeclaration, parseFlags } from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'
import { UsageError } from '../../lib/errors.ts'
import { MANIFEST_FLAGS, parseManifestArguments } from '../manifest-files.ts'
import { editFiles, OUTPUT, QUIET } from './edit-files.ts'

export const UNINJECT = {
  name: 'uninject',
  group: 'Prepare manifests',
  summary: 'remove the sidecar from Kubernetes manifests',
  arguments: 'FILE...',
  description: `Removes what wimds inject or the webhook added to the workloads in the manifests: containers, init containers, volumes, variables and the annotation wimds.io/injected. Comments stay, and documents that were not injected keep their bytes. Prints the result, and on standard error what was done to each object.

Your own annotations stay; if the cluster has the webhook, delete wimds.io/inject. A variable that somebody edited after the injection stays, with a warning. An empty list or map that injection filled, such as volumes: [], is removed.

FILE is a file, a directory with all below it, or - for standard input.`,
  flags: { ...MANIFEST_FLAGS, output: OUTPUT, quiet: QUIET },
  examples: [
    'wimds uninject deployment.yaml | kubectl apply -f -',
    'kubectl get deployment orders -o yaml | wimds uninject -o diff -',
  ],
  exitCodes: { 1: 'a manifest cannot be read, or a workload cannot be edited' },
} as const satisfies CommandDeclaration

/**
 * Prints the manifests without the sidecar, and on standard error what was done to each object. Returns 1 if a manifest cannot
 * be read or edited, else 0. Throws `UsageError`.
 */
export async function uninject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, UNINJECT)
  const usage = [...flags.problems]
  const manifests = parseManifestArguments(flags, usage)
  if (usage.length > 0) throw new UsageError(usage)
  return await editFiles({ io, command: 'uninject', flags, manifests })
}
