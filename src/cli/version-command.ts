/** `wimds version`: prints the version. */
import { UsageError } from '../lib/errors.ts'
import { type CommandDeclaration, parseFlags } from '../lib/args.ts'
import { VERSION } from '../lib/version.ts'
import type { CommandIo } from '../lib/command.ts'

export const VERSION_COMMAND = {
  name: 'version',
  group: 'About this program',
  summary: 'print the version',
  description: 'Prints the versions of wimds and of its Node.js.',
  flags: {},
} as const satisfies CommandDeclaration

/** Prints the versions of wimds and of its Node.js. Throws `UsageError`. */
export async function version(args: readonly string[], { stdout }: CommandIo): Promise<number> {
  const flags = parseFlags(args, VERSION_COMMAND)
  if (flags.problems.length > 0) throw new UsageError(flags.problems)
  stdout.write(`wimds ${VERSION} (node ${process.version})\n`)
  return 0
}
