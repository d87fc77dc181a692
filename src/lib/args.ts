/**
 * Declares commands and flags, and parses command lines. Reports all problems of a command line at once; commander and yargs
 * stop at the first one.
 */
import { parseArgs } from 'node:util'
import type * as z from 'zod/mini'
import { type NumberRange, parseWholeNumber } from './grammars.ts'
import { suggest } from './suggest.ts'

/** The headings of `wimds help`, in its order. */
export const GROUPS = [
  'Try without Azure',
  'Prepare manifests',
  'Find problems',
  'Use in shells and scripts',
  'Run in a cluster',
  'About this program',
] as const

/** A flag: parsing, help texts and docs/cli.md use this one declaration. */
export interface FlagDeclaration {
  /** The placeholder of the value in help texts, such as `PORT`; absent: a switch without a value. */
  readonly value?: string
  /** A phrase for help texts. */
  readonly help: string
  /** The short form, one letter: `o` for `-o`. */
  readonly short?: string
  /** The allowed values. */
  readonly choices?: readonly string[]
  /** True if the value is a list, separated by commas. */
  readonly isList?: true
  readonly isRepeatable?: true
  /** The heading of this flag and of the flags after it in help texts. Flags before the first heading are under `Flags`. */
  readonly group?: string
}

/** A command: help texts and docs/cli.md use this one declaration. */
export interface CommandDeclaration<Name extends string = string> {
  /** Empty for the flags without a command. */
  readonly name: string
  readonly group: (typeof GROUPS)[number]
  /** One phrase for the list of commands. */
  readonly summary: string
  /** The arguments in the usage, such as `FILE...`. */
  readonly arguments?: string
  /** Paragraphs; lines are joined and wrapped. */
  readonly description: string
  readonly flags: FlagDeclarations<Name>
  /** Printed as it is after the flags. */
  readonly notes?: string
  readonly examples?: readonly string[]
  /** The exit codes that have a more specific meaning for this command than in `EXIT_CODES`. */
  readonly exitCodes?: Readonly<Record<number, string>>
}

export type FlagDeclarations<Name extends string = string> = Readonly<Record<Name, FlagDeclaration>>

/** The members of a declaration that parsing uses. */
type Parsed<Name extends string> = Pick<
  CommandDeclaration<Name>,
  'flags' | 'arguments' | 'examples'
>

export interface Flags<Name extends string> {
  /** The last value given, or undefined. */
  value: (name: Name) => string | undefined
  /** Every value given, in order. */
  values: (name: Name) => readonly string[]
  /** True if the flag was given. */
  has: (name: Name) => boolean
  readonly positionals: readonly string[]
  /** One sentence for each invalid flag, value or argument. */
  readonly problems: readonly string[]
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

/** Returns true for `-o json`. */
export function isJsonOutput(flags: Pick<Flags<keyof typeof OUTPUT_FLAGS>, 'value'>) {
  return flags.value('output') === 'json'
}

/**
 * Parses `--name value`, `--name=value`, `--name`, `-n value` and `-n`. A single `-` and all words after `--` are positionals.
 * The command line answers `-h` and `--help` before it runs a command.
 */
export function parseFlags<Name extends string>(
  args: readonly string[],
  { flags: declarations, arguments: form = '', examples = [] }: Parsed<Name>,
): Flags<Name> {
  const placeholder = form.replaceAll(/[^A-Z]/g, '')
  const maxPositionals = form.endsWith('...') ? Infinity : Number(form !== '')
  const example = examples.find((each) => /^wimds [^#]+$/.test(each))
  const hint = example === undefined ? '' : `. Example: ${example}`
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  const problems: string[] = []
  for (const token of tokenize(args, declarations)) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const problem = isArgument(token.name, placeholder, declarations)
      ? `${token.rawName} is not a flag of this command: ${placeholder} is an argument${hint}`
      : findProblem(token, declarations)
    if (problem === undefined) {
      given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ''])
    } else {
      problems.push(problem)
    }
  }
  const unexpected = positionals.slice(maxPositionals)
  problems.push(...unexpected.map((word) => `unexpected argument ${word}${hint}`))
  return {
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
    positionals,
    problems,
  }
}

/** Returns a problem if more than one of these flags is given. */
export function findConflict<Name extends string>(
  { has }: Pick<Flags<Name>, 'has'>,
  names: readonly Name[],
): string[] {
  const [first, second] = names.filter(has)
  return second === undefined ? [] : [`--${first} or --${second}, not both`]
}

type OptionToken = Extract<ReturnType<typeof tokenize>[number], { readonly kind: 'option' }>

function tokenize(args: readonly string[], declarations: FlagDeclarations) {
  const options = Object.fromEntries(
    Object.entries(declarations).map(([name, { value, short }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(short !== undefined && { short }),
      },
    ]),
  )
  return parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  }).tokens
}

/** Returns true for an unknown flag that names the argument, as `-f`, `--filename` and `--pod` of other programs do. */
function isArgument(name: string, placeholder: string, declarations: FlagDeclarations): boolean {
  const argument = placeholder.toLowerCase()
  const isSame = argument.startsWith(name) || name.startsWith(argument)
  return argument !== '' && isSame && !Object.hasOwn(declarations, name)
}

function findProblem(
  { name, rawName, value, inlineValue }: OptionToken,
  declarations: FlagDeclarations,
): string | undefined {
  const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined
  if (declaration === undefined) {
    const suggestion = suggest(name, Object.keys(declarations), '--')
    return `${rawName} is not a flag of this command${suggestion}`
  }
  if (declaration.value === undefined) {
    return value === undefined ? undefined : `${rawName} takes no value`
  }
  const isAnotherFlag = inlineValue !== true && value !== '-' && value?.startsWith('-') === true
  if (value === undefined || isAnotherFlag) return `${rawName} needs a value`
  const { choices, isList, help } = declaration
  if (choices === undefined) return undefined
  const other = (isList ? value.split(',') : [value]).find((each) => !choices.includes(each))
  if (other === undefined) return undefined
  return `${rawName} ${other}: must be one of ${choices.join(', ')}${suggest(other, choices) || `. --${name}: ${help}`}`
}

/** Ports that a program can listen on. */
export const PORTS = { min: 1, max: 65_535 }

/**
 * Parses the number in a flag or variable. Returns undefined if there is none. If it is not valid, adds a problem to the list
 * and returns undefined. Does not use zod, which takes time to load.
 */
export function parseNumberOption(
  text: string | undefined,
  name: string,
  range: NumberRange,
  problems: string[],
): number | undefined {
  if (text === undefined) return undefined
  const value = parseWholeNumber(text, range)
  if (value === undefined) {
    problems.push(
      `${name} must be a whole number from ${range.min} to ${range.max}, not ${JSON.stringify(text)}`,
    )
  }
  return value
}

/**
 * Parses the value of a flag by the schema of a setting. Returns undefined if the flag is not given. If the value is not valid,
 * adds a problem to the list and returns undefined.
 */
export function parseSettingFlag<Name extends string, T>(
  flags: Pick<Flags<Name>, 'value'>,
  name: Name,
  schema: z.ZodMiniType<T>,
  problems: string[],
): T | undefined {
  const text = flags.value(name)
  if (text === undefined) return undefined
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  problems.push(`--${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}`)
  return undefined
}
