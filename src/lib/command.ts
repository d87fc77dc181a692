/** The interface between a command and its process. `args.ts` has the declarations of commands. */
import { once } from 'node:events'

/** The streams, environment and signal of a command. Tests replace them. */
export interface CommandIo {
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the process gets SIGTERM or SIGINT. */
  readonly signal: AbortSignal
}

/**
 * Runs a command with its arguments. Returns the exit code: 0, 1 or `EXIT_NOT_CHECKED`. Throws a `UsageError` or `ConfigError`,
 * which the command line prints before it exits with 64.
 */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>

/** The exit code of doctor if no check failed, but one could not be made. */
export const EXIT_NOT_CHECKED = 2

/** Resolves when the process gets SIGTERM or SIGINT. Resolves at once if it got one before. */
export async function untilShutdown({ signal }: Pick<CommandIo, 'signal'>): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
