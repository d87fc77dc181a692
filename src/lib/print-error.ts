/** Prints errors of the command line on standard error, scrubbed of anything that may be a credential. */
import { toLine } from './printable.ts'
import { scrub } from './secret.ts'
import { type CommandIo, EXIT_USAGE } from './command.ts'

type ErrorOutput = Pick<CommandIo, 'stderr'>

/** Prints each line, a newline in which becomes a space, after the name of the program, such as `wimds token`. */
export function printError(
  { stderr }: ErrorOutput,
  program: string,
  ...lines: readonly string[]
): void {
  for (const line of lines) printLine(stderr, `${program}: ${line}`)
}

function printLine(stderr: ErrorOutput['stderr'], line: string): void {
  stderr.write(`${toLine(scrub(line))}\n`)
}

/** Prints the problems of the arguments, and where the usage is. Returns the exit code. */
function exitWithUsage(io: ErrorOutput, program: string, problems: readonly string[]): number {
  printError(io, program, ...problems)
  io.stderr.write(`\nSee ${program} --help.\n`)
  return EXIT_USAGE
}

/** Prints a `UsageError` or `ConfigError` of a command. Returns the exit code. Rethrows other errors. */
export function exitWithError(io: ErrorOutput, program: string, error: unknown): number {
  if (!(error instanceof Error)) throw error
  // By name: each command is a bundle with its own copy of the classes.
  if (error.name === 'UsageError') return exitWithUsage(io, program, error.message.split('\n'))
  if (error.name !== 'ConfigError') throw error
  const [first = '', ...others] = error.message.split('\n')
  printError(io, program, first)
  for (const line of others) printLine(io.stderr, line)
  return EXIT_USAGE
}
