/** What a program can be asked for, and what is wrong with a call of it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FlagKind, Flags } from '../../src/lib/args.ts'

export interface Call {
  readonly program: string
  readonly args: readonly string[]
  /** What it was given on standard input, if it was told to read it. */
  readonly input: string
}

export interface Use {
  /** Where files that it names are looked for. */
  readonly directory: string
  readonly flags: Pick<Flags<string>, 'value' | 'values' | 'has'>
  readonly operands: readonly string[]
  readonly input: string
}

/** One thing that a program can be asked for, such as `kubectl apply`. */
interface Verb {
  readonly flags?: Readonly<Record<string, FlagKind>>
  readonly mistakes?: (use: Use) => readonly string[]
}

export type Verbs = Readonly<Record<string, Verb>>

/** A sentence for each of the files that is not there. */
export const missing = (directory: string, files: readonly (string | undefined)[]) =>
  files
    .filter((file) => file !== undefined && !existsSync(join(directory, file)))
    .map((file) => `there is no file ${String(file)}`)
