/** Reads the flags of `wimds simulate` and the files that they name. */
import { isIP } from 'node:net'
import { quote } from '../../config/parsers.ts'
import { parseAddressFlag } from '../address-flag.ts'
import { UsageError } from '../../errors.ts'
import { type Flags, findFlagProblems } from '../../lib/args.ts'
import { collectErrors } from '../../lib/collect-errors.ts'
import { readNamedFile } from '../../lib/files.ts'
import { parseWholeNumber } from '../../lib/whole-number.ts'
import type { IssuedCertificate } from '../../lib/x509.ts'
import type { SIMULATE } from '../declarations/simulate.ts'
import { readConfigFile, type FileSettings } from '../../simulator/config-file.ts'
import type { SimulatorOptions } from '../../simulator/simulator.ts'

type SimulateFlags = Flags<keyof typeof SIMULATE.flags>

export interface SimulateOptions {
  /** Settings of the `--config` file. The caller closes it. */
  readonly file: FileSettings
  /** Undefined: the kubelet's interval. */
  readonly rotateSeconds: number | undefined
  /** Options from flags. */
  readonly simulator: SimulatorOptions
}

/** 2^31 - 1 milliseconds, the limit of Node's timers. */
export const MAX_ROTATE_SECONDS = 2_147_483

/** Reads the options. Throws a UsageError with every problem in the flags and in the named files. */
export async function readSimulateOptions(flags: SimulateFlags): Promise<SimulateOptions> {
  const problems = findFlagProblems(flags)
  const listen = parseListen(flags, problems)
  const rotateSeconds = parseRotate(flags, problems)
  const tls = await readCertificate(flags, problems)
  const file = await collectErrors(problems, () => readConfigFile(flags.value('config')))
  if (problems.length === 0 && file !== undefined) {
    const hosts = flags.values('host')
    const stateDir = flags.value('dir')
    const simulator = {
      names: hosts.filter((host) => isIP(host) === 0),
      addresses: hosts.filter((host) => isIP(host) !== 0),
      listen,
      ...(stateDir === undefined ? {} : { stateDir }),
      ...(tls === undefined ? {} : { tls }),
    }
    return { file, rotateSeconds, simulator }
  }
  await file?.close()
  throw new UsageError(problems)
}

function parseListen(
  flags: SimulateFlags,
  problems: string[],
): NonNullable<SimulatorOptions['listen']> {
  const tokenProxy = parseAddressFlag(flags, 'token-proxy-listen', undefined, problems)
  return {
    entra: parseAddressFlag(flags, 'listen', undefined, problems) ?? {},
    issuer: parseAddressFlag(flags, 'issuer-listen', undefined, problems) ?? {},
    vault: parseAddressFlag(flags, 'vault-listen', undefined, problems) ?? {},
    ...(tokenProxy === undefined ? {} : { tokenProxy }),
  }
}

function parseRotate(flags: SimulateFlags, problems: string[]): number | undefined {
  const text = flags.value('rotate')
  if (text === undefined) return undefined
  const value = parseWholeNumber(text, { min: 1, max: MAX_ROTATE_SECONDS })
  if (value !== undefined) return value
  problems.push(
    `--rotate must be a whole number of seconds from 1 to ${MAX_ROTATE_SECONDS}, not ${quote(text)}`,
  )
  return undefined
}

async function readCertificate(
  flags: SimulateFlags,
  problems: string[],
): Promise<IssuedCertificate | undefined> {
  const [certFile, keyFile] = [flags.value('tls-cert'), flags.value('tls-key')]
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined) {
    problems.push('--tls-cert and --tls-key must be given together')
    return undefined
  }
  const certPem = await collectErrors(problems, () => readNamedFile(certFile))
  const keyPem = await collectErrors(problems, () => readNamedFile(keyFile))
  return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem }
}
