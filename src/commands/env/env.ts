/** `wimds env`: the variables that lead SDKs to the sidecar without any redirect. */
import { hostInUrl, localHost } from '../../lib/hosts.ts'
import {
  invalidConfiguration,
  mistakesIn,
  type ParsedSettings,
  Settings,
  withDefaults,
} from '../../config/settings.ts'
import type { Address } from '../../config/values.ts'
import {
  conflictsOf,
  ENDPOINT_SETS,
  type Endpoints,
  type EndpointSet,
  isSetName,
  SET_NAMES,
  SWITCHES,
} from '../../sdk-variables.ts'
import { UsageError } from '../../errors.ts'
import { addNoProxyHosts } from '../../lib/no-proxy.ts'
import { environmentText, isFormat, type Format } from './text.ts'
import { type Flags, mistakesOfFlagsAlone, parseFlags } from '../../lib/args.ts'
import type { CommandIo } from '../io.ts'
import { thumbprintFor } from '../service-fabric.ts'

const USAGE = `usage: wimds env [--for SET]... [--format shell|dotenv|yaml]

Prints the variables that make SDKs ask the sidecar, by its settings (WIMDS_LISTEN …).
In a shell: eval "$(wimds env --for imds)"

  --for SET      ${SET_NAMES.join(', ')};
                 several by commas or by repeating it, if they do not conflict.
                 Default: imds, and app-service if WIMDS_IDENTITY_HEADER is set
  --format       shell: export and unset commands (default); dotenv; yaml: for a container's env

docs/compatibility.md says which set works for which SDK. SDKs that know workload identity use
AZURE_FEDERATED_TOKEN_FILE, where it is set, and none of these.
`

const FLAGS = { for: 'value', format: 'value', help: 'switch' } as const

/** Exit code 0, or 64 for bad usage and for sets that conflict or are switched off. */
export async function env(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const { sets, format } = choiceOf(flags)
  const settings = settingsOf(io.env)
  const chosen = sets.length > 0 ? sets : defaultSets(settings)
  const mistakes = [...conflictsOf(chosen), ...chosen.flatMap((set) => missing(set, settings))]
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const endpoints = await endpointsOf(chosen, settings)
  const variables = Object.assign({}, ...chosen.map((set) => ENDPOINT_SETS[set](endpoints)))
  const { NO_PROXY: upper, no_proxy: lower } = io.env
  const proxies = {
    NO_PROXY: addNoProxyHosts(upper, lower),
    no_proxy: addNoProxyHosts(lower, upper),
  }
  const absent = SWITCHES.filter((name) => !Object.hasOwn(variables, name))
  io.stdout.write(environmentText({ ...variables, ...proxies }, absent, format))
  return 0
}

function choiceOf(flags: Flags<keyof typeof FLAGS>): { sets: EndpointSet[]; format: Format } {
  const names = [...new Set(flags.values('for').flatMap((value) => value.split(',')))]
  const format = flags.value('format') ?? 'shell'
  const mistakes = [
    ...mistakesOfFlagsAlone(flags),
    ...names
      .filter((name) => !isSetName(name))
      .map((name) => `--for ${name}: must be one of ${SET_NAMES.join(', ')}`),
  ]
  if (!isFormat(format)) mistakes.push(`--format ${format}: must be shell, dotenv or yaml`)
  if (mistakes.length > 0 || !isFormat(format)) throw new UsageError(mistakes)
  return { sets: names.filter(isSetName), format }
}

/** The settings alone: an application has no projected token, and needs none for this. */
function settingsOf(environment: CommandIo['env']): ParsedSettings {
  const parsed = Settings.safeParse(withDefaults(environment))
  if (parsed.success) return parsed.data
  throw invalidConfiguration(mistakesIn(parsed.error))
}

function defaultSets({ WIMDS_IDENTITY_HEADER: secret }: ParsedSettings): EndpointSet[] {
  return secret === undefined ? ['imds'] : ['imds', 'app-service']
}

/** What has to be set for the sidecar to speak a protocol at all. */
function missing(set: EndpointSet, settings: ParsedSettings): string[] {
  const needed = {
    WIMDS_IDENTITY_HEADER: settings.WIMDS_IDENTITY_HEADER !== undefined || !SECRET_SETS.has(set),
    WIMDS_ARC_LISTEN: settings.WIMDS_ARC_LISTEN.length > 0 || set !== 'arc',
    WIMDS_SERVICE_FABRIC_LISTEN:
      settings.WIMDS_SERVICE_FABRIC_LISTEN.length > 0 || set !== 'service-fabric',
  }
  return Object.entries(needed)
    .filter(([, isThere]) => !isThere)
    .map(([name]) => `${set} is off: set ${name}, for the sidecar too`)
}

const SECRET_SETS: ReadonlySet<EndpointSet> = new Set([
  'app-service',
  'app-service-2017',
  'azure-ml',
  'service-fabric',
])

async function endpointsOf(
  sets: readonly EndpointSet[],
  settings: ParsedSettings,
): Promise<Endpoints> {
  const isFabric = sets.includes('service-fabric')
  return {
    origin: originOf('http', settings.WIMDS_LISTEN[0]),
    identityHeader: settings.WIMDS_IDENTITY_HEADER?.reveal() ?? '',
    arcOrigin: originOf('http', settings.WIMDS_ARC_LISTEN[0]),
    fabricOrigin: originOf('https', settings.WIMDS_SERVICE_FABRIC_LISTEN[0]),
    thumbprint: isFabric ? await thumbprintFor(settings) : '',
    clientId: settings.AZURE_CLIENT_ID ?? '',
  }
}

/** How a container of the same pod reaches an address; a wildcard one by loopback. */
function originOf(scheme: 'http' | 'https', address: Address | undefined): string {
  if (address === undefined) return ''
  const { host, port } = address
  return `${scheme}://${hostInUrl(localHost(host))}:${port}`
}
