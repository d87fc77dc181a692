/** `wimds simulate`: the simulated issuer and Entra ID on ports, for development and CI. */
import { rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { address } from '../../service/parsers.ts'
import { type CommandDeclaration, parseFlags, parseSettingFlag } from '../../lib/args.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { errorMessage, printError } from '../../lib/describe-error.ts'
import { ConfigError, formatProblem, UsageError } from '../../lib/errors.ts'
import { formatUrlHost, removeBrackets } from '../../lib/hosts.ts'
import { quoteForShell } from '../shell.ts'
import { readConfigFile } from './config-file.ts'
import { UIDS } from './issuer/issuer.ts'
import { createSimulator, type Simulator, type SimulatorOptions } from './simulator.ts'
import { ENV_FILE } from './state-dir.ts'

export const SIMULATE = {
  name: 'simulate',
  group: 'Try without Azure',
  summary: 'simulate Entra ID and a cluster issuer for development and CI',
  description:
    'Runs a Kubernetes token issuer and an Entra ID token endpoint that validates signatures and claims, and writes a projected token as the kubelet does. Works offline.',
  flags: {
    dir: {
      value: 'DIR',
      help: 'folder for ca.crt, token/azure-identity-token and env (default: a temporary folder, which is removed at the end)',
    },
    config: {
      value: 'FILE',
      help: 'tenants, applications, resources, issuers, a certificate and faults (YAML)',
    },
    listen: {
      value: 'HOST:PORT',
      help: 'address of Entra ID, over TLS (default: 127.0.0.1 and a free port)',
    },
    host: {
      value: 'NAME',
      isRepeatable: true,
      help: 'DNS name or address for the certificate; the first is also the host in the URL',
    },
  },
  notes: `While it runs, these endpoints of Entra ID's origin control and observe it:
  GET PUT POST DELETE  /simulator/faults      a JSON array, such as [{"kind":"throttled","times":1}]
  GET DELETE           /simulator/requests    counters and the last exchanges, without tokens
  GET PUT              /simulator/directory   tenants, applications and resources
  POST                 /simulator/token       write a projected token, such as {"serviceAccount":"x"}`,
  examples: [
    'wimds simulate --dir sim    # then, elsewhere: set -a; . sim/env; set +a; wimds serve',
  ],
  exitCodes: { 1: 'the address cannot be bound, or another simulator uses the folder' },
} as const satisfies CommandDeclaration

/** The kubelet rotates a projected token after 80 % of its lifetime. */
const ROTATE_AFTER_FRACTION = 0.8
/** The limit of Node's timers is 2^31 - 1 milliseconds. */
const MAX_TIMER_SECONDS = 2_147_483

/** Runs the simulator until shutdown. Returns 0, or 1 if it cannot start. Throws `UsageError`. */
export async function simulate(args: readonly string[], io: CommandIo): Promise<number> {
  const options = await readOptions(args)
  try {
    return await run(options, io)
  } catch (error) {
    printError(io, 'wimds simulate', errorMessage(error))
    return 1
  }
}

/** Reads flags and `--config` file. Throws a UsageError with every problem in both. */
async function readOptions(args: readonly string[]): Promise<SimulatorOptions> {
  const flags = parseFlags(args, SIMULATE)
  const problems = [...flags.problems]
  const listen = parseSettingFlag(flags, 'listen', address, problems)
  const names = flags.values('host').map(removeBrackets)
  for (const host of names.filter((each) => !isHost(each))) {
    problems.push(`--host must be a name or address, without port, not ${JSON.stringify(host)}`)
  }
  const file = await readConfigFile(flags.value('config')).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems.map(formatProblem))
  })
  if (problems.length > 0) throw new UsageError(problems)
  return { ...file, names, listen, stateDir: flags.value('dir') }
}

function isHost(text: string): boolean {
  const url = `https://${formatUrlHost(text)}`
  return URL.canParse(url) && (isIP(text) !== 0 || new URL(url).hostname === text.toLowerCase())
}

async function run(options: SimulatorOptions, io: CommandIo): Promise<number> {
  await using simulator = await createSimulator(options)
  const lifetimeSeconds = options.projectedToken?.lifetimeSeconds ?? 3600
  const everySeconds = Math.ceil(
    Math.min(lifetimeSeconds * ROTATE_AFTER_FRACTION, MAX_TIMER_SECONDS),
  )
  const rotation = setInterval(() => {
    simulator.rotateToken().catch((error: unknown) => {
      const problem = `rotating the projected token failed: ${errorMessage(error)}`
      printError(io, 'wimds simulate', problem)
    })
  }, everySeconds * 1000)
  const envFile = join(simulator.caFile, '..', ENV_FILE)
  try {
    await writeFile(envFile, formatEnvironment(simulator, options))
    io.stdout.write(formatSummary(simulator, envFile, everySeconds))
    await untilShutdown(io)
    return 0
  } finally {
    clearInterval(rotation)
    await rm(envFile, { force: true })
  }
}

/** Formats the settings of `wimds serve` as shell assignments, one per line. */
function formatEnvironment({ settings }: Simulator, { tls }: SimulatorOptions): string {
  const { WIMDS_CA_FILE, ...others } = settings
  const variables = {
    ...others,
    // Nothing redirects 169.254.169.254 to the sidecar of a developer.
    WIMDS_MODE: 'env',
    WIMDS_IDENTITY_HEADER: UIDS.pod,
    // Nothing else scrapes it either.
    WIMDS_ADMIN_LISTEN: '127.0.0.1:9169',
    // A certificate from the configuration file has another CA.
    ...(tls === undefined && { WIMDS_CA_FILE }),
  }
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoteForShell(value)}\n`)
    .join('')
}

/** Formats the text that the command prints when it is ready. It contains no token. */
function formatSummary(simulator: Simulator, envFile: string, everySeconds: number): string {
  const applications = simulator.directory.applications.map(
    ({ clientId, name, federatedCredentials }) =>
      `  ${clientId}  ${name}: ${federatedCredentials.map(({ subject }) => subject).join(', ') || 'no federated credential'}`,
  )
  return `The simulator is ready.
  Entra ID     ${simulator.authorityHost}
  issuer       ${simulator.issuer.issuer}
  CA           ${simulator.caFile}
  token        ${simulator.tokenFile} (rotated every ${everySeconds} s)
Applications of tenant ${simulator.tenantId} and the subjects of their federated credentials:
${applications.join('\n')}
Start a sidecar with it:
  set -a; . ${quoteForShell(envFile)}; set +a; wimds serve
`
}
