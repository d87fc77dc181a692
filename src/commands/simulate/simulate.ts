/** `wimds simulate`: the simulated issuer, Entra ID and vault on ports, for development and CI. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseFlags } from '../../lib/args.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { printError } from '../../lib/print-error.ts'
import { quoteForShell } from '../../lib/shell.ts'
import { formatEnvironment } from '../../simulator/environment.ts'
import { createSimulator, type Simulator } from '../../simulator/simulator.ts'
import { type CommandIo, untilShutdown } from '../io.ts'
import {
  MAX_ROTATE_SECONDS,
  readSimulateOptions,
  SIMULATE_FLAGS,
  type SimulateOptions,
} from './options.ts'

export const SIMULATE_USAGE = `usage: wimds simulate [--dir DIR] [--config FILE] [--listen HOST:PORT] …

Runs a Kubernetes token issuer, an Entra ID token endpoint that validates signatures and claims, and
a key vault, and writes a projected token as the kubelet does. Works offline.

  --dir DIR                  folder for ca.crt, token/azure-identity-token and env
                             (default: a temporary folder, removed at the end)
  --config FILE              tenants, applications, resources, issuers, secrets and faults (YAML)
  --listen HOST:PORT         Entra ID, over TLS (default: 127.0.0.1 and a free port)
  --issuer-listen HOST:PORT  the token issuer, over TLS
  --vault-listen HOST:PORT   the key vault, over TLS
  --token-proxy-listen HOST:PORT
                             also the token proxy of identity bindings, over TLS; the environment
                             then routes exchanges to it (default: no token proxy)
  --host NAME                DNS name or address for the certificate; repeatable. The first name is
                             also the host in the URLs
  --tls-cert FILE            certificate of Entra ID and the vault (PEM)
  --tls-key FILE             its key
  --rotate SECONDS           rotation interval of the projected token (default: 80 % of its lifetime)
  --help

While it runs, these endpoints of Entra ID's origin control and observe it:
  GET PUT POST DELETE  /simulator/faults      a JSON array, such as [{"kind":"throttled","times":1}]
  GET DELETE           /simulator/requests    counters and the last exchanges, without tokens
  GET PUT              /simulator/directory   tenants, applications and resources
  POST                 /simulator/token       write a projected token, such as {"serviceAccount":"x"}
  POST                 /simulator/issuer-key  sign with a new key
`

/** The kubelet rotates a projected token after 80 % of its lifetime. */
const ROTATE_AFTER_FRACTION = 0.8

/** Runs the simulator until shutdown. Returns 0, or 1 if a port cannot be bound. Throws `UsageError`. */
export async function simulate(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, SIMULATE_FLAGS)
  if (flags.has('help')) {
    io.stdout.write(SIMULATE_USAGE)
    return 0
  }
  const options = await readSimulateOptions(flags)
  try {
    return await run(options, io)
  } catch (error) {
    printError(io, 'wimds simulate', errorMessage(error))
    return 1
  } finally {
    await options.file.close()
  }
}

async function run(options: SimulateOptions, io: CommandIo): Promise<number> {
  const { file, rotateSeconds } = options
  await using simulator = await createSimulator({ ...file.simulator, ...options.simulator })
  const lifetimeSeconds = file.simulator.projectedToken?.lifetimeSeconds ?? 3600
  const everySeconds = rotateSeconds ?? Math.ceil(lifetimeSeconds * ROTATE_AFTER_FRACTION)
  const rotation = setInterval(
    () => {
      simulator.rotateToken().catch((error: unknown) => {
        printError(
          io,
          'wimds simulate',
          `rotating the projected token failed: ${errorMessage(error)}`,
        )
      })
    },
    Math.min(everySeconds, MAX_ROTATE_SECONDS) * 1000,
  )
  try {
    simulator.faults.set(file.faults)
    const envFile = join(simulator.caFile, '..', 'env')
    await writeFile(envFile, formatEnvironment(simulator, options.simulator.tls === undefined))
    io.stdout.write(formatSummary(simulator, envFile, everySeconds))
    await untilShutdown(io)
    return 0
  } finally {
    clearInterval(rotation)
  }
}

/** Formats the text that the command prints when it is ready. It contains no token. */
function formatSummary(simulator: Simulator, envFile: string, everySeconds: number): string {
  const applications = simulator.directory.applications.map(
    ({ clientId, name, federatedCredentials }) =>
      `  ${clientId}  ${name}: ${federatedCredentials.map(({ subject }) => subject).join(', ') || 'no federated credential'}`,
  )
  const { tokenProxy } = simulator
  return `The simulator is ready.
  Entra ID     ${simulator.authorityHost}
  issuer       ${simulator.issuer.issuer}
  vault        ${simulator.vaultUrl}
${tokenProxy ? `  token proxy  ${tokenProxy.url}\n` : ''}  CA           ${simulator.caFile}
  token        ${simulator.tokenFile} (rotated every ${everySeconds} s)
Applications of tenant ${simulator.tenantId} and the subjects of their federated credentials:
${applications.join('\n')}
Start a sidecar with it:
  set -a; . ${quoteForShell(envFile)}; set +a; wimds serve
`
}
