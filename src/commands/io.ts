/** What a command is given of the process, so that it can be run and observed inside a test. */
export interface CommandIo {
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal
}

/** A command: its arguments in, its exit code out (0, 1, or 64 for bad usage or configuration). */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>
