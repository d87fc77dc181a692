/** `wimds version`: prints the version. */
import { UsageError } from '../errors.ts'
import { findFlagProblems, parseFlags } from '../lib/args.ts'
import { VERSION } from '../version.ts'
import { isJsonOutput } from './declarations/declaration.ts'
import { VERSION_COMMAND } from './declarations/version.ts'
import type { CommandIo } from './io.ts'

/** Prints the version of wimds and that of its Node. Throws `UsageError`. */
export async function version(args: readonly string[], { stdout }: CommandIo): Promise<number> {
  const flags = parseFlags(args, VERSION_COMMAND.flags)
  const problems = findFlagProblems(flags)
  if (problems.length > 0) throw new UsageError(problems)
  const document = { schemaVersion: 1, version: VERSION, node: process.version }
  stdout.write(
    isJsonOutput(flags)
      ? `${JSON.stringify(document, null, 2)}\n`
      : `wimds ${VERSION} (node ${process.version})\n`,
  )
  return 0
}
