/** `wimds env`: prints the variables that lead SDKs to the sidecar without a redirect. */
import { createConfigError, parseSettings } from '../broker/config/settings.ts'
import { type Problem, UsageError } from '../lib/errors.ts'
import { type CommandDeclaration, parseFlags } from '../lib/args.ts'
import { formatLocalAddress } from './local-host.ts'
import {
  addNoProxyHosts,
  ENDPOINT_VARIABLES,
  findSetConflicts,
  IDENTITY_HEADER_NAMES,
  isVariableSet,
  VARIABLE_SET_NAMES,
  VARIABLE_SETS,
  type VariableSet,
} from '../lib/sdk-variables.ts'
import { isPlainWord, quoteForShell } from './shell.ts'
import { docsPage } from '../lib/version.ts'
import { formatDocument } from './json-document.ts'
import type { CommandIo } from '../lib/command.ts'

const ENV_FORMATS = ['shell', 'dotenv', 'yaml', 'json'] as const

export const ENV = {
  name: 'env',
  group: 'Use in shells and scripts',
  summary: 'print the variables that configure SDKs for the sidecar',
  description: `Prints the variables that make SDKs use the sidecar, from the sidecar's settings (WIMDS_LISTEN …).

The sets are ${VARIABLE_SET_NAMES.join(', ')}; ${docsPage('sdk-variables')} lists the set for each SDK. SDKs that support workload identity prefer AZURE_FEDERATED_TOKEN_FILE where it is set.`,
  flags: {
    for: {
      value: 'SET',
      choices: VARIABLE_SET_NAMES,
      isList: true,
      isRepeatable: true,
      help: 'sets, separated by commas (default: imds; if WIMDS_IDENTITY_HEADER is set, and for yaml, also app-service and app-service-2017, like injection in mode env)',
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: ENV_FORMATS,
      help: "shell (the default): export and unset commands; dotenv; yaml: for the env of the application's containers and of the sidecar, with the uid of the pod as WIMDS_IDENTITY_HEADER; json: a document with a schemaVersion",
    },
  },
  examples: ['eval "$(wimds env --for imds)"'],
} as const satisfies CommandDeclaration

/** The sets whose endpoint is guarded by WIMDS_IDENTITY_HEADER. */
const SETS_WITH_SECRET: ReadonlySet<VariableSet> = new Set([
  'app-service',
  'app-service-2017',
  'azure-ml',
])

/** Returns 0. Throws `UsageError` for bad flags and for sets that conflict or are switched off. */
export async function env(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, ENV)
  if (flags.problems.length > 0) throw new UsageError(flags.problems)
  const format = ENV_FORMATS.find((name) => name === flags.value('output')) ?? 'shell'
  // Parses only the settings: `loadConfig` needs a projected token, which an application's container does not have.
  const { settings, problems: invalid } = parseSettings(io.env)
  if (settings === undefined) throw createConfigError(invalid)
  const given = new Set(flags.values('for').flatMap((value) => value.split(',')))
  const { WIMDS_IDENTITY_HEADER: secret } = settings
  // A manifest is for many pods: each pod has its own uid as the secret, in the sidecar too.
  const hasSecret = secret !== undefined || format === 'yaml'
  const defaults: VariableSet[] = hasSecret ? ['imds', 'app-service', 'app-service-2017'] : ['imds']
  const chosen = given.size > 0 ? [...given].filter(isVariableSet) : defaults
  const problems = [...findSetConflicts(chosen), ...(hasSecret ? [] : findDisabledSets(chosen))]
  if (problems.length > 0) throw new UsageError(problems)
  // A container of the same pod reaches the sidecar at its first address.
  const [address] = settings.WIMDS_LISTEN
  const endpoint = {
    origin: address === undefined ? '' : `http://${formatLocalAddress(address)}`,
    identityHeader: secret?.reveal() ?? '',
    clientId: settings.AZURE_CLIENT_ID ?? '',
  }
  const variables = Object.assign({}, ...chosen.map((set) => VARIABLE_SETS[set](endpoint)))
  const { NO_PROXY: upper, no_proxy: lower } = io.env
  const proxies = {
    NO_PROXY: addNoProxyHosts(upper, lower),
    no_proxy: addNoProxyHosts(lower, upper),
  }
  const unset = [...ENDPOINT_VARIABLES].filter((name) => !Object.hasOwn(variables, name))
  io.stdout.write(formatVariables({ ...variables, ...proxies }, unset, format))
  return 0
}

function findDisabledSets(sets: readonly VariableSet[]): Problem[] {
  return sets
    .filter((set) => SETS_WITH_SECRET.has(set))
    .map((set) => ({
      problem: `${set} is off`,
      fix: 'set WIMDS_IDENTITY_HEADER, for the sidecar too',
    }))
}

function formatVariables(
  variables: Readonly<Record<string, string>>,
  unset: readonly string[],
  format: (typeof ENV_FORMATS)[number],
): string {
  if (format === 'json') return formatDocument({ variables, unset })
  const entries = Object.entries(variables)
  if (format === 'yaml') return formatManifests(entries)
  if (format === 'dotenv') {
    return entries.map(([name, value]) => `${name}=${quoteForDotenv(value)}\n`).join('')
  }
  const unsetLine = unset.length > 0 ? `unset ${unset.join(' ')}\n` : ''
  return (
    unsetLine + entries.map(([name, value]) => `export ${name}=${quoteForShell(value)}\n`).join('')
  )
}

const POD_UID = '  valueFrom:\n    fieldRef:\n      fieldPath: metadata.uid\n'

/** Formats the entries for the `env` of the application's containers, and of the sidecar if it needs an entry. */
function formatManifests(entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(([name, value]) =>
    IDENTITY_HEADER_NAMES.has(name)
      ? `- name: ${name}\n${POD_UID}`
      : `- name: ${name}\n  value: ${JSON.stringify(value)}\n`,
  )
  if (!entries.some(([name]) => IDENTITY_HEADER_NAMES.has(name))) return lines.join('')
  const sidecar = `# In the sidecar:\n- name: WIMDS_IDENTITY_HEADER\n${POD_UID}`
  return `# In the containers of the application:\n${lines.join('')}${sidecar}`
}

/**
 * Quotes a value for a dotenv file. Text in single quotes is literal; a value that contains single quotes needs double quotes.
 */
function quoteForDotenv(value: string): string {
  if (isPlainWord(value)) return value
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`
}
