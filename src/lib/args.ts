/** Command-line flags, read so that every mistake can be reported at once. */
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
  /** A sentence for each unknown flag, missing value and superfluous value. */
  readonly mistakes: readonly string[]
}

/** Reads `--name value`, `--name=value` and `--name`; `-` alone and what follows `--` are positionals. */
export function parseFlags<Name extends string>(
  args: readonly string[],
  kinds: Readonly<Record<Name, FlagKind>>,
): Flags<Name> {
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  const mistakes: string[] = []
  for (const token of tokensOf(args, kinds)) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const mistake = mistakeOf(token, kinds)
    if (mistake === undefined) {
      given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ''])
    } else {
      mistakes.push(mistake)
    }
  }
  return {
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
    positionals,
    mistakes,
  }
}

/** The mistakes in the flags of a command that takes nothing else. */
export function mistakesOfFlagsAlone({
  mistakes,
  positionals,
}: Pick<Flags<string>, 'mistakes' | 'positionals'>): string[] {
  return [...mistakes, ...positionals.map((word) => `${word} is not an argument of this command`)]
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function tokensOf(args: readonly string[], kinds: Readonly<Record<string, FlagKind>>) {
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

function mistakeOf(
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
