/** What a command and its process agree on. */
import { once } from 'node:events'

/** What a command is given of the process, so that it can be run and observed inside a test. */
export interface CommandIo {
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal
}

/**
 * A command: its arguments in, its exit code out (0 or 1). For bad usage or configuration it throws a
 * `ConfigError`, which the command line tells before it ends with `EXIT_USAGE`.
 */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>

/** The exit code for bad usage or configuration: EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64

/** Resolves when the process is asked to end, at once if it has been. */
export async function untilShutdown({ signal }: Pick<CommandIo, 'signal'>): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
