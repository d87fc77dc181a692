/** `wimds uninject`: removes the sidecar from manifests, without access to a cluster. */
import { UsageError } from '../../errors.ts'
import { uninjectManifests } from '../../kubernetes/manifests/uninject-manifests.ts'
import { parseFlags } from '../../lib/args.ts'
import { UNINJECT } from '../declarations/uninject.ts'
import type { CommandIo } from '../io.ts'
import { readManifests } from '../manifest-files.ts'
import { printError } from '../print-error.ts'
import { parseTemplatePath } from './options.ts'
import { describeNothing, formatObjects, formatUnsupported, printManifests } from './report.ts'

/**
 * Prints the manifests without the sidecar, and on standard error what was done to each object. Returns 0, or 1 if
 * one cannot be read or edited. Throws `UsageError`.
 */
export async function uninject(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, UNINJECT.flags)
  const usage = [...flags.problems]
  if (flags.positionals.length === 0) usage.push('name a manifest, or - for standard input')
  const templatePaths = flags.values('path').flatMap((text) => parseTemplatePath(text, usage))
  if (usage.length > 0) throw new UsageError(usage)
  const { files, problems: unreadable } = await readManifests(flags.positionals, io)
  const uninjected = uninjectManifests(files, templatePaths)
  const { objects } = uninjected
  const problems = [...unreadable, ...uninjected.problems]
  const lines = flags.has('quiet') ? [] : formatObjects(objects)
  const warnings = [...formatUnsupported(objects), ...uninjected.warnings]
  printError(io, 'wimds uninject', ...lines, ...warnings, ...problems)
  if (problems.length === 0 && !objects.some(({ isWorkload }) => isWorkload)) {
    printError(io, 'wimds uninject', describeNothing(files))
  }
  return printManifests(io, flags, uninjected, problems)
}
