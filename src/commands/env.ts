/** `wimds env`: prints the variables that lead SDKs to the sidecar without a redirect. */
import { invalidConfiguration, type ParsedSettings, parseSettings } from '../config/settings.ts'
import { UsageError } from '../errors.ts'
import { type Flags, findFlagProblems, parseFlags } from '../lib/args.ts'
import { formatUrlHost, toLocalHost } from '../lib/hosts.ts'
import { addNoProxyHosts } from '../lib/no-proxy.ts'
import { isPlainWord, quoteForShell } from '../lib/shell.ts'
import {
  ENDPOINT_VARIABLES,
  findSetConflicts,
  isVariableSet,
  VARIABLE_SET_NAMES,
  VARIABLE_SETS,
  type VariableSet,
} from '../sdk-variables.ts'
import type { CommandIo } from './io.ts'

const USAGE = `usage: wimds env [--for SET]... [--format shell|dotenv|yaml]

Prints the variables that make SDKs use the sidecar, from the sidecar's settings (WIMDS_LISTEN …).
In a shell: eval "$(wimds env --for imds)"

  --for SET      ${VARIABLE_SET_NAMES.join(', ')};
                 several sets: separate them by commas or repeat the flag
                 Default: imds, and app-service if WIMDS_IDENTITY_HEADER is set
  --format       shell: export and unset commands (default); dotenv; yaml: for a container's env

docs/compatibility.md lists the set for each SDK. SDKs that support workload identity prefer
AZURE_FEDERATED_TOKEN_FILE where it is set.
`

const FLAGS = { for: 'value', format: 'value', help: 'switch' } as const
const FORMATS = ['shell', 'dotenv', 'yaml'] as const
type Format = (typeof FORMATS)[number]

/** The sets whose endpoint is guarded by WIMDS_IDENTITY_HEADER. */
const SETS_WITH_SECRET: ReadonlySet<VariableSet> = new Set([
  'app-service',
  'app-service-2017',
  'azure-ml',
])

/** Returns 0. Throws `UsageError` for bad flags and for sets that conflict or are switched off. */
export async function env(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const { sets, format } = parseChoice(flags)
  const settings = readSettings(io.env)
  const chosen = sets.length > 0 ? sets : selectDefaultSets(settings)
  const problems = [...findSetConflicts(chosen), ...findDisabledSets(chosen, settings)]
  if (problems.length > 0) throw new UsageError(problems)
  const endpoint = {
    origin: formatOrigin(settings),
    identityHeader: settings.WIMDS_IDENTITY_HEADER?.reveal() ?? '',
    clientId: settings.AZURE_CLIENT_ID ?? '',
  }
  const variables = Object.assign({}, ...chosen.map((set) => VARIABLE_SETS[set](endpoint)))
  const { NO_PROXY: upper, no_proxy: lower } = io.env
  const proxies = {
    NO_PROXY: addNoProxyHosts(upper, lower),
    no_proxy: addNoProxyHosts(lower, upper),
  }
  const unset = ENDPOINT_VARIABLES.filter((name) => !Object.hasOwn(variables, name))
  io.stdout.write(formatVariables({ ...variables, ...proxies }, unset, format))
  return 0
}

function parseChoice(flags: Flags<keyof typeof FLAGS>): { sets: VariableSet[]; format: Format } {
  const names = [...new Set(flags.values('for').flatMap((value) => value.split(',')))]
  const given = flags.value('format') ?? 'shell'
  const format = FORMATS.find((name) => name === given)
  const problems = [
    ...findFlagProblems(flags),
    ...names
      .filter((name) => !isVariableSet(name))
      .map((name) => `--for ${name}: must be one of ${VARIABLE_SET_NAMES.join(', ')}`),
  ]
  if (format === undefined) problems.push(`--format ${given}: must be shell, dotenv or yaml`)
  if (problems.length > 0 || format === undefined) throw new UsageError(problems)
  return { sets: names.filter(isVariableSet), format }
}

/** Parses the settings alone: an application's container has no projected token for `loadConfig`. */
function readSettings(environment: CommandIo['env']): ParsedSettings {
  const { settings, problems } = parseSettings(environment)
  if (settings === undefined) throw invalidConfiguration(problems)
  return settings
}

function selectDefaultSets({ WIMDS_IDENTITY_HEADER: secret }: ParsedSettings): VariableSet[] {
  return secret === undefined ? ['imds'] : ['imds', 'app-service']
}

function findDisabledSets(sets: readonly VariableSet[], settings: ParsedSettings): string[] {
  if (settings.WIMDS_IDENTITY_HEADER !== undefined) return []
  return sets
    .filter((set) => SETS_WITH_SECRET.has(set))
    .map((set) => `${set} is off. Fix: set WIMDS_IDENTITY_HEADER, for the sidecar too`)
}

/** Returns the origin by which a container of the same pod reaches the first listen address. */
function formatOrigin({ WIMDS_LISTEN: [address] }: ParsedSettings): string {
  if (address === undefined) return ''
  return `http://${formatUrlHost(toLocalHost(address.host))}:${address.port}`
}

function formatVariables(
  variables: Readonly<Record<string, string>>,
  unset: readonly string[],
  format: Format,
): string {
  const entries = Object.entries(variables)
  if (format === 'yaml') {
    return entries
      .map(([name, value]) => `- name: ${name}\n  value: ${JSON.stringify(value)}\n`)
      .join('')
  }
  if (format === 'dotenv') {
    return entries.map(([name, value]) => `${name}=${quoteForDotenv(value)}\n`).join('')
  }
  const unsetLine = unset.length > 0 ? `unset ${unset.join(' ')}\n` : ''
  return (
    unsetLine + entries.map(([name, value]) => `export ${name}=${quoteForShell(value)}\n`).join('')
  )
}

/** Single quotes are literal in dotenv files; a value that contains them needs double quotes. */
function quoteForDotenv(value: string): string {
  if (isPlainWord(value)) return value
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`
}
