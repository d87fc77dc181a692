/** `wimds simulate`: the simulated issuer, Entra ID and vault on ports, for development and CI. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseFlags } from '../../lib/args.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { printError } from '../../lib/print-error.ts'
import { quoteForShell } from '../shell.ts'
import { createSimulator, type Simulator, type SimulatorOptions } from './simulator.ts'
import { readSimulateOptions, SIMULATE } from './simulator-options.ts'
import { ENV_FILE } from './state-dir.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'

export { SIMULATE } from './simulator-options.ts'

/** The kubelet rotates a projected token after 80 % of its lifetime. */
const ROTATE_AFTER_FRACTION = 0.8
/** The limit of Node's timers is 2^31 - 1 milliseconds. */
const MAX_TIMER_SECONDS = 2_147_483

/** Runs the simulator until shutdown. Returns 0, or 1 if a port cannot be bound. Throws `UsageError`. */
export async function simulate(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, SIMULATE.flags)
  const options = await readSimulateOptions(flags)
  try {
    return await run(options, io)
  } catch (error) {
    const fix = isOfAddress(error) ? `. Fix: ${ADDRESS_FIX}` : ''
    printError(io, 'wimds simulate', `${errorMessage(error)}${fix}`)
    return 1
  }
}

const ADDRESS_FIX = 'choose another address by --listen, --issuer-listen or --vault-listen'

/** Returns true if an address cannot be bound, or its name cannot be resolved. */
function isOfAddress(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && ADDRESS_CALLS.has(error.syscall)
}

const ADDRESS_CALLS: ReadonlySet<unknown> = new Set(['listen', 'getaddrinfo'])

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
    await writeFile(envFile, formatEnvironment(simulator, options.tls === undefined))
    io.stdout.write(formatSummary(simulator, envFile, everySeconds))
    await untilShutdown(io)
    return 0
  } finally {
    clearInterval(rotation)
    await rm(envFile, { force: true })
  }
}

/**
 * Formats the settings of `wimds serve` as shell assignments, one per line. `ownCertificate` is false when Entra ID
 * serves a given certificate.
 */
function formatEnvironment({ settings }: Simulator, ownCertificate: boolean): string {
  const { WIMDS_CA_FILE, ...others } = settings
  const variables = {
    ...others,
    // Nothing redirects 169.254.169.254 to the sidecar of a developer.
    WIMDS_MODE: 'env',
    // Nothing else scrapes it either.
    WIMDS_ADMIN_LISTEN: '127.0.0.1:9169',
    ...(ownCertificate && { WIMDS_CA_FILE }),
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
  vault        ${simulator.vaultUrl}
  CA           ${simulator.caFile}
  token        ${simulator.tokenFile} (rotated every ${everySeconds} s)
Applications of tenant ${simulator.tenantId} and the subjects of their federated credentials:
${applications.join('\n')}
Start a sidecar with it:
  set -a; . ${quoteForShell(envFile)}; set +a; wimds serve
`
}
