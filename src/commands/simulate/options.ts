/** The flags of `wimds simulate` → what to simulate, and where. */
import { isIP } from 'node:net'
import { addresses, type Address } from '../../config/values.ts'
import { UsageError } from '../../errors.ts'
import { readWholeFile } from '../../lib/files.ts'
import { readConfigFile, type FileSettings } from '../../simulator/config-file.ts'
import type { SimulatorOptions } from '../../simulator/options.ts'
import type { IssuedCertificate } from '../../lib/x509.ts'
import { type Flags, mistakesOfFlagsAlone } from '../../lib/args.ts'
import { isConfigError, noting } from '../../lib/collect-errors.ts'

export const SIMULATE_FLAGS = {
  dir: 'value',
  config: 'value',
  listen: 'value',
  'issuer-listen': 'value',
  'vault-listen': 'value',
  'token-proxy-listen': 'value',
  host: 'value',
  'tls-cert': 'value',
  'tls-key': 'value',
  rotate: 'value',
  help: 'switch',
} as const

type SimulateFlags = Flags<keyof typeof SIMULATE_FLAGS>

/** One run of the simulator. */
export interface SimulateOptions {
  /** What the file of `--config` says; its reader closes it. */
  readonly file: FileSettings
  /** Undefined: as the kubelet does. */
  readonly rotateSeconds: number | undefined
  /** What the flags say of the world. */
  readonly world: SimulatorOptions
}

/** Node's timers hold no more: 2^31 - 1 milliseconds. */
export const MAX_ROTATE_SECONDS = 2_147_483

/** The options; throws every mistake in the flags and in the files that they name. */
export async function optionsOf(flags: SimulateFlags): Promise<SimulateOptions> {
  const mistakes = mistakesOfFlagsAlone(flags)
  const listen = listenOf(flags, mistakes)
  const rotateSeconds = seconds(flags, mistakes)
  const tls = await certificate(flags, mistakes)
  const file = await noting(mistakes, () => readConfigFile(flags.value('config')), isFileMistake)
  if (mistakes.length === 0 && file !== undefined) {
    return { file, rotateSeconds, world: worldOptions(flags, listen, tls) }
  }
  await file?.close()
  throw new UsageError(mistakes)
}

function worldOptions(
  flags: SimulateFlags,
  listen: NonNullable<SimulatorOptions['listen']>,
  tls: IssuedCertificate | undefined,
): SimulatorOptions {
  const hosts = flags.values('host')
  const stateDir = flags.value('dir')
  return {
    names: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
    listen,
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(tls === undefined ? {} : { tls }),
  }
}

function listenOf(
  flags: SimulateFlags,
  mistakes: string[],
): NonNullable<SimulatorOptions['listen']> {
  const tokenProxy = address(flags, 'token-proxy-listen', mistakes)
  return {
    entra: address(flags, 'listen', mistakes) ?? {},
    issuer: address(flags, 'issuer-listen', mistakes) ?? {},
    vault: address(flags, 'vault-listen', mistakes) ?? {},
    ...(tokenProxy === undefined ? {} : { tokenProxy }),
  }
}

function address(
  flags: SimulateFlags,
  name: 'listen' | 'issuer-listen' | 'vault-listen' | 'token-proxy-listen',
  mistakes: string[],
): Address | undefined {
  const text = flags.value(name)
  if (text === undefined) return undefined
  const parsed = addresses.safeParse(text)
  if (!parsed.success) mistakes.push(`--${name} ${parsed.error.issues[0]?.message ?? 'is wrong'}`)
  if (parsed.data && parsed.data.length > 1) mistakes.push(`--${name} takes one address`)
  return parsed.data?.[0]
}

function seconds(flags: SimulateFlags, mistakes: string[]): number | undefined {
  const text = flags.value('rotate')
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/u.test(text) && value >= 1 && value <= MAX_ROTATE_SECONDS) return value
  mistakes.push(`--rotate must be a whole number of seconds from 1 to ${MAX_ROTATE_SECONDS}`)
  return undefined
}

async function certificate(
  flags: SimulateFlags,
  mistakes: string[],
): Promise<IssuedCertificate | undefined> {
  const [certFile, keyFile] = [flags.value('tls-cert'), flags.value('tls-key')]
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined) {
    mistakes.push('--tls-cert and --tls-key belong together; one is missing')
    return undefined
  }
  const certPem = await noting(mistakes, () => readWholeFile(certFile), isFileMistake)
  const keyPem = await noting(mistakes, () => readWholeFile(keyFile), isFileMistake)
  return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem }
}

/** What is wrong with a file that was named; the system says it of one that cannot be read. */
const isFileMistake = (error: unknown): boolean =>
  isConfigError(error) || (error instanceof Error && 'code' in error)
