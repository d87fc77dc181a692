/** A command: its declaration, and the interface to its process. */
import { once } from 'node:events'

/** The headings of `wimds help`, in its order. */
export const GROUPS = [
  'Run in a cluster',
  'Prepare manifests',
  'Find problems',
  'Use in shells and scripts',
  'Try without Azure',
  'About this program',
] as const

/** A flag: parsing, help texts and docs/cli.md use this one declaration. */
export interface FlagDeclaration {
  /** The placeholder of the value in help texts, such as `PORT`; absent: a switch without a value. */
  readonly value?: string
  /** A phrase for help texts. */
  readonly help: string
  /** One letter: `o` for `-o`. */
  readonly short?: string
  /** The allowed values. */
  readonly choices?: readonly string[]
  /** True if the value is a list, separated by commas. */
  readonly isList?: true
  readonly isRepeatable?: true
  /** The heading under which help texts list the flag. */
  readonly group?: string
}

/** A command: help texts and docs/cli.md use this one declaration. */
export interface CommandDeclaration {
  /** Empty for the flags without a command. */
  readonly name: string
  readonly group: (typeof GROUPS)[number]
  /** One phrase for the list of commands. */
  readonly summary: string
  readonly arguments?: {
    /** `FILE...` */
    readonly usage: string
  }
  /** Paragraphs; lines are joined and wrapped. */
  readonly description: string
  readonly flags: Readonly<Record<string, FlagDeclaration>>
  /** Printed as it is after the flags. */
  readonly notes?: string
  readonly examples?: readonly string[]
  /** The meaning of a code for this command, where `EXIT_CODES` says less. */
  readonly exitCodes?: Readonly<Record<number, string>>
}

/** The streams, environment and signal of a command, which a test replaces. */
export interface CommandIo {
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the process gets SIGTERM or SIGINT. */
  readonly signal: AbortSignal
}

/**
 * Runs a command with its arguments. Returns the exit code, 0 or 1. Throws a `UsageError` or `ConfigError`,
 * which the command line prints before it exits with 64.
 */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>

/** The exit code of doctor if no check failed, but one could not be made. */
export const EXIT_NOT_CHECKED = 2

/** Resolves when the process gets SIGTERM or SIGINT, at once if it already has. */
export async function untilShutdown({ signal }: Pick<CommandIo, 'signal'>): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
