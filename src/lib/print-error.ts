/** Prints errors of the command line on standard error, scrubbed of anything that may be a credential. */
import { toLine } from './printable.ts'
import { scrub } from './scrub.ts'
import type { CommandIo } from './command.ts'

/** Prints each line, a newline in which becomes a space, after the name of the program, such as `wimds token`. */
export function printError(
  { stderr }: Pick<CommandIo, 'stderr'>,
  program: string,
  ...lines: readonly string[]
): void {
  for (const line of lines) printLine(stderr, `${program}: ${line}`)
}

/** Prints a line. */
export function printLine(stderr: CommandIo['stderr'], line: string): void {
  stderr.write(`${toLine(scrub(line))}\n`)
}
