/** The exit codes of the command line and their meanings. */
import { type CommandIo, EXIT_NOT_CHECKED } from '../lib/command.ts'
import { formatProblem } from '../lib/errors.ts'
import { printError, printLine } from '../lib/describe-error.ts'

/** The exit code for bad usage or configuration: EX_USAGE of sysexits.h. */
const EXIT_USAGE = 64

/** The exit code after a second signal, or after an error that no command handles. */
export const EXIT_FAILED = 1

export type ExitCode = readonly [code: number, meaning: string]

/** The meanings of a command's exit codes, for help texts and docs/cli.md. A command returns 0, 1 or 2. */
export const EXIT_CODES: readonly ExitCode[] = [
  [0, 'success'],
  [EXIT_FAILED, 'the command failed, and said why on standard error'],
  [EXIT_NOT_CHECKED, 'doctor only: no check failed, but at least one could not be made'],
  [EXIT_USAGE, 'the arguments or the settings are invalid'],
]

/** The image of the sidecar has the commands of a pod; the image of the cluster has the webhook and the node agent. */
const NOT_INSTALLED = {
  problem: 'the command, or what its flags need, is not part of this image',
  fix: 'use the image wimds-cluster for webhook and node-agent, and the npm package for everything else',
}

/**
 * Prints a `UsageError` with a reference to `--help`, a `ConfigError`, or that this image lacks the command. Returns the exit
 * code. Rethrows every other error: it ends the process with `EXIT_FAILED`.
 */
export function exitWithError(
  io: Pick<CommandIo, 'stderr'>,
  program: string,
  error: unknown,
): number {
  if (!(error instanceof Error)) throw error
  const [first = '', ...others] = error.message.split('\n')
  // The class is compared by its name, since each command is a bundle with its own copy of the classes.
  if (error.name === 'UsageError') {
    printError(io, program, first, ...others)
    io.stderr.write(`\nSee ${program} --help.\n`)
  } else if (error.name === 'ConfigError') {
    printError(io, program, first)
    for (const line of others) printLine(io.stderr, line)
  } else if (isNotInstalled(error)) {
    printError(io, program, formatProblem(NOT_INSTALLED))
  } else {
    throw error
  }
  return EXIT_USAGE
}

/** Matches the files of other packages, and the chunks that commands of this package share. */
const NOT_A_COMMAND = /\/(?:node_modules\/(?!wimds\/)|chunk-[^/]*$)/

/**
 * Returns true if the module of a command, or of a part that it loads by `import()`, is missing. Each image has only the
 * modules that it needs. Returns false for a missing package, whose error has no URL, and for missing shared code: both mean a
 * broken image.
 */
export function isNotInstalled(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'))
    return false
  return 'url' in error && typeof error.url === 'string' && !NOT_A_COMMAND.test(error.url)
}
