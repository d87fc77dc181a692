/** `wimds simulate`: the simulated issuer, Entra and vault on ports, for development and CI. */
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { addresses, type Address } from '../config/values.ts'
import { ConfigError } from '../errors.ts'
import { readConfigFile, type FileSettings } from '../simulator/config-file.ts'
import { environment, summary } from '../simulator/summary.ts'
import { createWorld, type WorldOptions } from '../simulator/world.ts'
import type { IssuedCertificate } from '../x509.ts'
import { type Flags, parseFlags } from './flags.ts'
import type { CommandIo } from './io.ts'

export const SIMULATE_USAGE = `usage: wimds simulate [--dir DIR] [--config FILE] [--listen HOST:PORT] …

Runs a Kubernetes token issuer, an Entra ID token endpoint that truly verifies, and a key vault,
and writes a projected token as the kubelet does. Nothing leaves this machine.

  --dir DIR                  where ca.crt, token/azure-identity-token and env are written
                             (default: a temporary directory, gone at the end)
  --config FILE              tenants, applications, resources, issuers, secrets and faults (YAML)
  --listen HOST:PORT         Entra ID, over TLS (default 127.0.0.1 and any free port)
  --issuer-listen HOST:PORT  the token issuer, over TLS
  --vault-listen HOST:PORT   the key vault, over TLS
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

const FLAGS = {
  dir: 'value',
  config: 'value',
  listen: 'value',
  'issuer-listen': 'value',
  'vault-listen': 'value',
  host: 'value',
  'tls-cert': 'value',
  'tls-key': 'value',
  rotate: 'value',
  help: 'switch',
} as const
type FlagName = keyof typeof FLAGS

/** The kubelet renews a projected token when 80 % of its life has passed. */
const RENEWAL_SHARE = 0.8
/** Node's timers hold no more: 2^31 - 1 milliseconds. */
const MAX_ROTATE_SECONDS = 2_147_483

/** Runs until the signal. Exit code 0, 1 when a port cannot be had, 64 for bad usage. */
export async function simulate(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(SIMULATE_USAGE)
    return 0
  }
  const mistakes = [
    ...flags.mistakes,
    ...flags.positionals.map((word) => `${word} is not an argument of this command`),
  ]
  const listen = {
    entra: address(flags, 'listen', mistakes),
    issuer: address(flags, 'issuer-listen', mistakes),
    vault: address(flags, 'vault-listen', mistakes),
  }
  const rotateSeconds = seconds(flags, mistakes)
  const tls = await certificate(flags, mistakes)
  const file = await noting(mistakes, () => readConfigFile(flags.value('config')))
  if (mistakes.length > 0 || file === undefined) {
    await file?.close()
    io.stderr.write(
      `${mistakes.map((text) => `wimds simulate: ${text}\n`).join('')}\nSee --help.\n`,
    )
    return 64
  }
  try {
    return await run({ file, rotateSeconds, options: worldOptions(flags, listen, tls) }, io)
  } catch (error) {
    io.stderr.write(`wimds simulate: ${messageOf(error)}\n`)
    return 1
  } finally {
    await file.close()
  }
}

interface Run {
  readonly file: FileSettings
  readonly rotateSeconds: number | undefined
  readonly options: WorldOptions
}

async function run({ file, rotateSeconds, options }: Run, io: CommandIo): Promise<number> {
  const world = await createWorld({ ...file.world, ...options })
  const lifetimeSeconds = file.world.projectedToken?.lifetimeSeconds ?? 3600
  const everySeconds = rotateSeconds ?? Math.ceil(lifetimeSeconds * RENEWAL_SHARE)
  const renewal = setInterval(
    () => {
      world.rotateToken().catch((error: unknown) => {
        io.stderr.write(`wimds simulate: the token could not be renewed: ${messageOf(error)}\n`)
      })
    },
    Math.min(everySeconds, MAX_ROTATE_SECONDS) * 1000,
  )
  try {
    world.faults.set(file.faults)
    const envFile = join(world.caFile, '..', 'env')
    await writeFile(envFile, environment(world, options.tls !== undefined))
    io.stdout.write(summary(world, envFile, everySeconds))
    if (!io.signal.aborted) await once(io.signal, 'abort')
    return 0
  } finally {
    clearInterval(renewal)
    await world.close()
  }
}

function worldOptions(
  flags: Flags<FlagName>,
  listen: Readonly<Record<'entra' | 'issuer' | 'vault', Address | undefined>>,
  tls: IssuedCertificate | undefined,
): WorldOptions {
  const hosts = flags.values('host')
  const stateDir = flags.value('dir')
  return {
    names: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
    listen: {
      entra: listen.entra ?? {},
      issuer: listen.issuer ?? {},
      vault: listen.vault ?? {},
    },
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(tls === undefined ? {} : { tls }),
  }
}

function address(
  flags: Flags<FlagName>,
  name: 'listen' | 'issuer-listen' | 'vault-listen',
  mistakes: string[],
): Address | undefined {
  const text = flags.value(name)
  if (text === undefined) return undefined
  const parsed = addresses.safeParse(text)
  if (!parsed.success) mistakes.push(`--${name} ${parsed.error.issues[0]?.message ?? 'is wrong'}`)
  if (parsed.data && parsed.data.length > 1) mistakes.push(`--${name} takes one address`)
  return parsed.data?.[0]
}

function seconds(flags: Flags<FlagName>, mistakes: string[]): number | undefined {
  const text = flags.value('rotate')
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/u.test(text) && value >= 1 && value <= MAX_ROTATE_SECONDS) return value
  mistakes.push(`--rotate must be a whole number of seconds from 1 to ${MAX_ROTATE_SECONDS}`)
  return undefined
}

async function certificate(
  flags: Flags<FlagName>,
  mistakes: string[],
): Promise<IssuedCertificate | undefined> {
  const [certFile, keyFile] = [flags.value('tls-cert'), flags.value('tls-key')]
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined) {
    mistakes.push('--tls-cert and --tls-key belong together; one is missing')
    return undefined
  }
  const certPem = await noting(mistakes, () => readFile(certFile, 'utf8'))
  const keyPem = await noting(mistakes, () => readFile(keyFile, 'utf8'))
  return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem }
}

/** What `read` gives, or undefined once its failure is noted as a mistake. */
async function noting<T>(mistakes: string[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    mistakes.push(...messageOf(error).split('\n'))
    if (!(error instanceof ConfigError) && !isSystemError(error)) throw error
    return undefined
  }
}

const isSystemError = (error: unknown): boolean => error instanceof Error && 'code' in error

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
