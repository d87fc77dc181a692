/** `wimds simulate`: the simulated issuer, Entra and vault on ports, for development and CI. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { environment, summary } from '../../simulator/environment.ts'
import { createSimulator } from '../../simulator/simulator.ts'
import { complain } from '../../lib/print-error.ts'
import { parseFlags } from '../../lib/args.ts'
import { type CommandIo, untilShutdown } from '../io.ts'
import { messageOf } from '../../lib/collect-errors.ts'
import { MAX_ROTATE_SECONDS, optionsOf, SIMULATE_FLAGS, type SimulateOptions } from './options.ts'

export const SIMULATE_USAGE = `usage: wimds simulate [--dir DIR] [--config FILE] [--listen HOST:PORT] …

Runs a Kubernetes token issuer, an Entra ID token endpoint that truly verifies, and a key vault,
and writes a projected token as the kubelet does. Nothing leaves this machine.

  --dir DIR                  where ca.crt, token/azure-identity-token and env are written
                             (default: a temporary directory, gone at the end)
  --config FILE              tenants, applications, resources, issuers, secrets and faults (YAML)
  --listen HOST:PORT         Entra ID, over TLS (default 127.0.0.1 and any free port)
  --issuer-listen HOST:PORT  the token issuer, over TLS
  --vault-listen HOST:PORT   the key vault, over TLS
  --token-proxy-listen HOST:PORT
                             also the token proxy of a cluster's identity bindings, over TLS; the
                             environment then leads exchanges to it (default: none)
  --host NAME                a name or address for the certificate; repeatable. The first name is
                             also the host of the URLs
  --tls-cert FILE            serve Entra ID and the vault with this certificate (PEM)
  --tls-key FILE             and this key
  --rotate SECONDS           renew the projected token this often (default: at 80 % of its life)
  --help

While it runs, Entra ID's origin also has endpoints to bend and observe it:
  GET PUT POST DELETE  /simulator/faults      a JSON array, such as [{"kind":"throttled","times":1}]
  GET DELETE           /simulator/requests    counters and the last exchanges, without tokens
  GET PUT              /simulator/directory   tenants, applications and resources
  POST                 /simulator/token       a new projected token, such as {"serviceAccount":"x"}
  POST                 /simulator/issuer-key  sign with a new key
`

/** The kubelet renews a projected token when 80 % of its life has passed. */
const RENEWAL_SHARE = 0.8

/** Runs until the signal. Exit code 0, 1 when a port cannot be had, 64 for bad usage. */
export async function simulate(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, SIMULATE_FLAGS)
  if (flags.has('help')) {
    io.stdout.write(SIMULATE_USAGE)
    return 0
  }
  const options = await optionsOf(flags)
  try {
    return await run(options, io)
  } catch (error) {
    complain(io, 'wimds simulate', messageOf(error))
    return 1
  } finally {
    await options.file.close()
  }
}

async function run(options: SimulateOptions, io: CommandIo): Promise<number> {
  const { file, rotateSeconds } = options
  const world = await createSimulator({ ...file.world, ...options.world })
  const lifetimeSeconds = file.world.projectedToken?.lifetimeSeconds ?? 3600
  const everySeconds = rotateSeconds ?? Math.ceil(lifetimeSeconds * RENEWAL_SHARE)
  const renewal = setInterval(
    () => {
      world.rotateToken().catch((error: unknown) => {
        complain(io, 'wimds simulate', `the token could not be renewed: ${messageOf(error)}`)
      })
    },
    Math.min(everySeconds, MAX_ROTATE_SECONDS) * 1000,
  )
  try {
    world.faults.set(file.faults)
    const envFile = join(world.caFile, '..', 'env')
    await writeFile(envFile, environment(world, options.world.tls !== undefined))
    io.stdout.write(summary(world, envFile, everySeconds))
    await untilShutdown(io)
    return 0
  } finally {
    clearInterval(renewal)
    await world.close()
  }
}
