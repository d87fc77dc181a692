/** `wimds help`: the commands, and the flags and exit codes of each, from their declarations. */
import { UsageError } from '../lib/errors.ts'
import { type CommandDeclaration, type FlagDeclaration, GROUPS, parseFlags } from '../lib/args.ts'
import { suggest } from '../lib/suggest.ts'
import { type CommandIo, EXIT_NOT_CHECKED } from '../lib/command.ts'
import type { CommandEntry } from './commands.ts'
import { EXIT_CODES, isNotInstalled } from './exit-codes.ts'
import { describeSignalExits } from './signals.ts'
import { DROP_IN } from './drop-in.ts'

export const HELP = {
  name: 'help',
  group: 'About this program',
  summary: 'explain a command, its flags and its exit codes',
  arguments: '[COMMAND]',
  description:
    'Lists the commands, or explains one. wimds COMMAND --help and wimds COMMAND -h print the same.',
  flags: {},
} as const satisfies CommandDeclaration

type Commands = readonly CommandDeclaration[]

/** The table of `commands.ts`. Help does not import it: otherwise each image with help would have every command. */
type Table = Readonly<Record<string, Pick<CommandEntry, 'declare' | 'isLongRunning'>>>

/** Loads the declarations of the commands that are installed here. */
export async function declareAll(table: Table): Promise<Commands> {
  const declarations = await Promise.all(
    Object.values(table).map(async (command) =>
      command.declare().catch((error: unknown) => {
        if (isNotInstalled(error)) return []
        throw error
      }),
    ),
  )
  return [...declarations.flat(), HELP]
}

/** Explains the named command, or lists all commands. Returns 0. Throws a `UsageError` for an unknown command. */
export async function help(
  args: readonly string[],
  { stdout }: CommandIo,
  table: Table,
): Promise<number> {
  const { positionals, problems } = parseFlags(args, HELP)
  const [name] = positionals
  if (problems.length > 0) throw new UsageError(problems)
  if (name === undefined) {
    stdout.write(formatOverview(await declareAll(table), describeSignalExits(table)))
    return 0
  }
  const command = Object.hasOwn(table, name) ? await table[name]?.declare() : undefined
  if (command === undefined && name !== HELP.name) {
    const names = [...Object.keys(table), HELP.name]
    throw new UsageError([`unknown command ${JSON.stringify(name)}${suggest(name, names)}`])
  }
  stdout.write(formatHelp(command ?? HELP))
  return 0
}

function formatOverview(commands: Commands, signalExits: typeof EXIT_CODES): string {
  const lists = new Map(
    GROUPS.map((heading) => [
      heading,
      commands.filter(({ group }) => group === heading).map(listName),
    ]),
  )
  const parts = [
    'usage: wimds COMMAND [ARGUMENTS]',
    'wimds answers Azure IMDS token requests in Kubernetes by workload identity federation.',
    formatLists(lists),
    'wimds help COMMAND explains its arguments, flags and exit codes.',
    wrap(DROP_IN.description, 0),
    formatLists(listFlags(DROP_IN.flags)),
    formatLists(new Map([['Exit codes', [...EXIT_CODES, ...signalExits].map(listExitCode)]])),
  ]
  return `${parts.join('\n\n')}\n`
}

const listName = ({ name, summary }: CommandDeclaration): Row => [name, summary]

const listExitCode = ([code, meaning]: readonly [number, string]): Row => [String(code), meaning]

function formatHelp(command: CommandDeclaration): string {
  const { description, flags, notes, examples = [] } = command
  const codes = listExitCodes(command).map(listExitCode)
  const parts = [
    `usage: ${formatUsage(command)}`,
    ...description.split('\n\n').map((paragraph) => wrap(paragraph, 0)),
    formatLists(listFlags({ ...flags, help: HELP_FLAG })),
    ...(notes === undefined ? [] : [notes]),
    ...(examples.length > 0
      ? [`Examples:\n${examples.map((each) => `  ${each}`).join('\n')}`]
      : []),
    formatLists(new Map([['Exit codes', codes]])),
  ]
  return `${parts.join('\n\n')}\n`
}

/** Every command has this flag. The command line answers it. */
const HELP_FLAG: FlagDeclaration = { short: 'h', help: 'print this help', group: 'Flags' }

/** Returns `wimds probe [FLAGS]`. */
export function formatUsage({ name, flags, ...command }: CommandDeclaration): string {
  const hasFlags = Object.keys(flags).length > 0
  const words = ['wimds', name, hasFlags ? '[FLAGS]' : '', command.arguments ?? '']
  return words.filter((word) => word !== '').join(' ')
}

/** Returns the exit codes of the command, and what each means for it. */
function listExitCodes({ exitCodes = {} }: CommandDeclaration): [number, string][] {
  return EXIT_CODES.filter(([code]) => code !== EXIT_NOT_CHECKED || code in exitCodes).map(
    ([code, meaning]) => [code, exitCodes[code] ?? meaning],
  )
}

/** Returns `-o, --output FORMAT`. */
function formatFlag(name: string, { short, value }: FlagDeclaration): string {
  const names = short === undefined ? `--${name}` : `-${short}, --${name}`
  return value === undefined ? names : `${names} ${value}`
}

type Row = readonly [first: string, second: string]

/** Groups the flags by their headings. The first heading is `Flags`. */
export function listFlags(flags: CommandDeclaration['flags']): ReadonlyMap<string, readonly Row[]> {
  let heading = 'Flags'
  const groups = Map.groupBy(Object.entries(flags), ([, { group }]) => (heading = group ?? heading))
  return new Map(
    [...groups].map(([group, entries]) => [
      group,
      entries.map(([name, flag]): Row => [
        formatFlag(name, flag),
        flag.isRepeatable ? `${flag.help}; repeatable` : flag.help,
      ]),
    ]),
  )
}

const WIDTH = 100
/** If the first column of a row is longer, the second one begins on the next line. */
const MAX_FIRST_COLUMN = 26

/** Formats the lists that have rows in two columns, each under its heading; the second column is wrapped. */
function formatLists(lists: ReadonlyMap<string, readonly Row[]>): string {
  const lengths = [...lists.values()].flat().map(([first]) => first.length)
  const width = Math.max(...lengths.filter((length) => length <= MAX_FIRST_COLUMN), 0)
  const column = width + 4
  const formatRow = ([first, second]: Row) => {
    const gap =
      first.length > width ? `\n${' '.repeat(column)}` : ' '.repeat(column - 2 - first.length)
    return `  ${first}${gap}${wrap(second, column)}`
  }
  return [...lists]
    .filter(([, rows]) => rows.length > 0)
    .map(([heading, rows]) => [`${heading}:`, ...rows.map(formatRow)].join('\n'))
    .join('\n\n')
}

/** Wraps a text at `WIDTH` characters. The text begins at `column`, and further lines are indented to it. */
function wrap(text: string, column: number): string {
  const lines = ['']
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line === '') lines[lines.length - 1] = word
    else if (column + line.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join(`\n${' '.repeat(column)}`)
}
