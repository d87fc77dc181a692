/** Describes and prints errors. Redacts everything that may be a credential. */
import type { Problem } from './errors.ts'
import { scrub } from './secret.ts'
import { toLine } from './printable.ts'
import type { CommandIo } from './command.ts'

/**
 * Returns the message of an error. If it is empty, returns the messages of its inner errors, its code or its name: Node's error
 * for a name whose addresses all failed has no message.
 */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return scrub(String(error))
  if (error.message !== '') return scrub(error.message)
  const errors = error instanceof AggregateError ? error.errors.map(errorMessage) : []
  return errors.join('; ') || (errorCode(error) ?? error.name)
}

/** Returns the code of an error of Node, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

/** Returns the problem `cannot read PATH: no such file or directory` and its fix, from an error of Node. */
export function describeFileError(
  path: string,
  error: unknown,
  action: 'read' | 'create' = 'read',
): Problem {
  // `ENOENT: no such file or directory, open 'PATH'`
  const reason = errorMessage(error).replace(/^[A-Z0-9_]+: ([^,]*), .*$/s, '$1')
  const isForbidden = ['EACCES', 'EPERM'].includes(errorCode(error) ?? '')
  const fix = isForbidden ? `let the user who runs wimds ${action} it` : 'check the path'
  return { problem: `cannot ${action} ${path}: ${reason}`, fix }
}

/** Removes the ids and the time from a description by Entra ID, and the full stop before them if no text follows. */
export function removeTraceIds(message: string): string {
  return message.replace(
    /(\.?)\s+Trace ID:.*?Timestamp: [\d:\- ]+Z(?=([^.;])?)/s,
    (_, before: string, next: string | undefined) => (next === undefined ? '' : before),
  )
}

/** Prints each text on its own line after the name of the program, such as `wimds token`. */
export function printError(
  { stderr }: Pick<CommandIo, 'stderr'>,
  program: string,
  ...lines: readonly string[]
): void {
  for (const line of lines) printLine(stderr, `${program}: ${line}`)
}

/** Prints a text on one line, without credentials and control characters. */
export function printLine(stderr: CommandIo['stderr'], line: string): void {
  stderr.write(`${toLine(scrub(line))}\n`)
}
