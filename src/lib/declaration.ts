/** The declaration of a command: its help text, completion and docs/cli.md come from it. */
import type { FlagDeclaration, Flags } from './args.ts'

/** The headings of `wimds help`, in its order. */
export const GROUPS = [
  'Run in a cluster',
  'Prepare manifests',
  'Find problems',
  'Use in shells and scripts',
  'Try without Azure',
  'About this program',
] as const

export interface CommandDeclaration {
  /** Empty for the flags without a command. */
  readonly name: string
  readonly group: (typeof GROUPS)[number]
  /** One phrase for the list of commands. */
  readonly summary: string
  readonly arguments?: {
    /** `FILE...` */
    readonly usage: string
    readonly choices?: readonly string[]
    readonly completion?: 'file'
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

/** Declares `-o text|json`, for commands that print a report. */
export const OUTPUT_FLAGS = {
  output: {
    short: 'o',
    value: 'FORMAT',
    choices: ['text', 'json'],
    help: 'text (the default), or json: a document with a schemaVersion',
  },
} as const satisfies Readonly<Record<string, FlagDeclaration>>

/** Returns whether JSON was asked for. */
export function isJsonOutput(flags: Pick<Flags<keyof typeof OUTPUT_FLAGS>, 'value'>) {
  return flags.value('output') === 'json'
}
