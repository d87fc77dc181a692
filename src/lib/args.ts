/** Parses command-line flags, and reports every problem at once. */
import { parseArgs } from 'node:util'

/** Whether a flag takes a value or is a plain switch. */
export type FlagKind = 'value' | 'switch'

export interface Flags<Name extends string> {
  /** The last value given, or undefined. */
  value: (name: Name) => string | undefined
  /** Every value given, in order. */
  values: (name: Name) => readonly string[]
  /** True if the flag was given. */
  has: (name: Name) => boolean
  readonly positionals: readonly string[]
  /** A sentence for each unknown flag, missing value and unexpected value. */
  readonly problems: readonly string[]
}

/** Parses `--name value`, `--name=value` and `--name`; `-` alone and what follows `--` are positionals. */
export function parseFlags<Name extends string>(
  args: readonly string[],
  kinds: Readonly<Record<Name, FlagKind>>,
): Flags<Name> {
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  const problems: string[] = []
  for (const token of tokenize(args, kinds)) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const problem = findProblem(token, kinds)
    if (problem === undefined) {
      given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ''])
    } else {
      problems.push(problem)
    }
  }
  return {
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
    positionals,
    problems,
  }
}

/** Returns the problems of a command that takes only flags: its positionals are problems too. */
export function findFlagProblems({
  problems,
  positionals,
}: Pick<Flags<string>, 'problems' | 'positionals'>): string[] {
  return [...problems, ...positionals.map((word) => `unexpected argument ${word}`)]
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function tokenize(args: readonly string[], kinds: Readonly<Record<string, FlagKind>>) {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      { type: kind === 'value' ? ('string' as const) : ('boolean' as const) },
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

function findProblem(
  { name, rawName, value, inlineValue }: OptionToken,
  kinds: Readonly<Record<string, FlagKind>>,
): string | undefined {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind === undefined) return `${rawName} is not a flag of this command`
  if (kind === 'switch') return value === undefined ? undefined : `${rawName} takes no value`
  const isAnotherFlag = inlineValue !== true && value !== '-' && value?.startsWith('-') === true
  if (value === undefined || isAnotherFlag) return `${rawName} needs a value`
  return undefined
}
