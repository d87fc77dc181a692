/** How the command line tells what went wrong: on standard error, without what could be a credential. */
import { scrub } from '../secret.ts'
import { type CommandIo, EXIT_USAGE } from '../commands/io.ts'

type Complaining = Pick<CommandIo, 'stderr'>

/** Prints each of the lines after the name of the program, such as `wimds token`. */
export function complain(
  { stderr }: Complaining,
  program: string,
  ...lines: readonly string[]
): void {
  for (const line of lines) stderr.write(`${scrub(`${program}: ${line}`)}\n`)
}

/** Tells bad usage: all its mistakes, and where the usage is to be found. Returns the exit code. */
export function refuseUsage(io: Complaining, program: string, mistakes: readonly string[]): number {
  complain(io, program, ...mistakes)
  io.stderr.write(`\nSee ${program} --help.\n`)
  return EXIT_USAGE
}

/** Tells what a command has thrown for bad usage or configuration. Throws on what is neither. */
export function refuse(io: Complaining, program: string, error: unknown): number {
  if (!(error instanceof Error)) throw error
  // By their names: the commands are bundles of their own, each with its classes.
  if (error.name === 'UsageError') return refuseUsage(io, program, error.message.split('\n'))
  if (error.name !== 'ConfigError') throw error
  complain(io, program, error.message)
  return EXIT_USAGE
}
