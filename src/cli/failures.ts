/** How the command line ends when a command throws. */
import type { CommandIo } from '../lib/command.ts'
import { printError, printLine } from '../lib/print-error.ts'
import { scrub } from '../lib/scrub.ts'
import { EXIT_USAGE } from './exit-codes.ts'

/**
 * Prints a `UsageError` of a command and where its usage is, or a `ConfigError`. Returns the exit code. Rethrows other
 * errors.
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
  } else {
    throw error
  }
  return EXIT_USAGE
}

/**
 * Returns the log line, in JSON, for an error that nothing caught. It contains names, messages and stacks
 * only: the other properties of an error, which Node prints, may contain a request with its headers.
 */
export function formatCrash(thrown: unknown, now = new Date()): string {
  const [stack, ...causes] = describeCauses(thrown)
  return `${JSON.stringify({
    level: 'fatal',
    time: now.toISOString(),
    event: 'crashed',
    message: 'Unhandled error; the process exits with code 1',
    stack,
    ...(causes.length > 0 && { causes }),
  })}\n`
}

/** A chain of causes may be circular. */
const MAX_CAUSES = 5

/** Returns the stack of the error, then the stacks of its causes. */
function describeCauses(thrown: unknown): string[] {
  const stacks: string[] = []
  let next = thrown
  while (next !== undefined && stacks.length <= MAX_CAUSES) {
    stacks.push(describeError(next))
    next = next instanceof Error ? next.cause : undefined
  }
  return stacks.length > 0 ? stacks : [describeError(thrown)]
}

function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `a thrown ${typeof thrown}`
  return scrub(typeof thrown.stack === 'string' ? thrown.stack : thrown.name)
}

/** Returns whether a module is missing: each image has the commands that it needs, and no others. */
export function isNotInstalled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}
