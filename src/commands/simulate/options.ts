/** Reads the flags of `wimds simulate` and the files that they name. */
import { isIP } from 'node:net'
import { address, integer } from '../../config/parsers.ts'
import { UsageError } from '../../errors.ts'
import { type Flags, findFlagProblems } from '../../lib/args.ts'
import { collectErrors } from '../../lib/collect-errors.ts'
import { readNamedFile } from '../../lib/files.ts'
import type { IssuedCertificate } from '../../lib/x509.ts'
import type { SIMULATE } from '../declarations/simulate.ts'
import { parseSettingFlag } from '../setting-flag.ts'
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
const ROTATE = integer({ min: 1, max: MAX_ROTATE_SECONDS })

/** Reads the options. Throws a UsageError with every problem in the flags and in the named files. */
export async function readSimulateOptions(flags: SimulateFlags): Promise<SimulateOptions> {
  const problems = findFlagProblems(flags)
  const listen = parseListen(flags, problems)
  const rotateSeconds = parseSettingFlag(flags, 'rotate', ROTATE, problems)
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
  const tokenProxy = parseSettingFlag(flags, 'token-proxy-listen', address, problems)
  return {
    entra: parseSettingFlag(flags, 'listen', address, problems) ?? {},
    issuer: parseSettingFlag(flags, 'issuer-listen', address, problems) ?? {},
    vault: parseSettingFlag(flags, 'vault-listen', address, problems) ?? {},
    ...(tokenProxy === undefined ? {} : { tokenProxy }),
  }
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
