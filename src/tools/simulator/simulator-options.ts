/** Reads the flags of `wimds simulate` and the files that they name. */
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import { address } from '../../broker/config/parsers.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { ConfigError, formatProblem, UsageError } from '../../lib/errors.ts'
import { type CommandDeclaration, type Flags, parseSettingFlag } from '../../lib/args.ts'
import { readNamedFile } from '../../lib/named-file.ts'
import type { IssuedCertificate } from '../../lib/x509.ts'
import { readConfigFile } from './config-file.ts'
import type { SimulatorOptions } from './simulator.ts'

export const SIMULATE = {
  name: 'simulate',
  group: 'Try without Azure',
  summary: 'simulate Entra ID, a cluster issuer and a resource server for development and CI',
  description:
    'Runs a Kubernetes token issuer, an Entra ID token endpoint that validates signatures and claims, and a key vault, and writes a projected token as the kubelet does. Works offline.',
  flags: {
    dir: {
      value: 'DIR',
      help: 'folder for ca.crt, token/azure-identity-token and env (default: a temporary folder, removed at the end)',
    },
    config: {
      value: 'FILE',
      help: 'tenants, applications, resources, issuers, secrets and faults (YAML)',
    },
    listen: {
      value: 'HOST:PORT',
      help: 'address of Entra ID, over TLS (default: 127.0.0.1 and a free port)',
    },
    'issuer-listen': { value: 'HOST:PORT', help: 'address of the token issuer, over TLS' },
    'vault-listen': { value: 'HOST:PORT', help: 'address of the key vault, over TLS' },
    host: {
      value: 'NAME',
      isRepeatable: true,
      help: 'DNS name or address for the certificate; the first name is also the host in the URLs',
    },
    'tls-cert': {
      value: 'FILE',
      help: 'certificate of Entra ID and the vault (PEM)',
    },
    'tls-key': { value: 'FILE', help: 'its key' },
  },
  notes: `While it runs, these endpoints of Entra ID's origin control and observe it:
  GET PUT POST DELETE  /simulator/faults      a JSON array, such as [{"kind":"throttled","times":1}]
  GET DELETE           /simulator/requests    counters and the last exchanges, without tokens
  GET PUT              /simulator/directory   tenants, applications and resources
  POST                 /simulator/token       write a projected token, such as {"serviceAccount":"x"}`,
  examples: [
    'wimds simulate --dir sim    # then, elsewhere: set -a; . sim/env; set +a; wimds serve',
  ],
  exitCodes: { 1: 'an address cannot be bound, or another simulator uses the folder' },
} as const satisfies CommandDeclaration

type SimulateFlags = Flags<keyof typeof SIMULATE.flags>

/**
 * Reads the options from the `--config` file and the flags. Throws a UsageError with every problem in the flags and in the
 * named files.
 */
export async function readSimulateOptions(flags: SimulateFlags): Promise<SimulatorOptions> {
  const problems = [...flags.problems]
  const listen = {
    entra: parseSettingFlag(flags, 'listen', address, problems),
    issuer: parseSettingFlag(flags, 'issuer-listen', address, problems),
    vault: parseSettingFlag(flags, 'vault-listen', address, problems),
  }
  const tls = await readCertificate(flags, problems)
  const hosts = flags.values('host')
  for (const host of hosts.filter((each) => !isHost(each))) {
    problems.push(`--host must be a name or address, without port, not ${JSON.stringify(host)}`)
  }
  const file = await collectErrors(problems, () => readConfigFile(flags.value('config')))
  if (problems.length > 0) throw new UsageError(problems)
  return {
    ...file,
    names: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
    listen,
    stateDir: flags.value('dir'),
    tls,
  }
}

function isHost(text: string): boolean {
  const url = `https://${text}`
  return isIP(text) !== 0 || (URL.canParse(url) && new URL(url).hostname === text.toLowerCase())
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
  if (certPem === undefined || keyPem === undefined) return undefined
  try {
    createSecureContext({ cert: certPem, key: keyPem })
  } catch (error) {
    problems.push(
      `${certFile} and ${keyFile} are no certificate and its key: ${errorMessage(error)}. Fix: pass both in PEM`,
    )
  }
  return { certPem, keyPem }
}

/**
 * Returns what `read` resolves to. If it throws a `ConfigError`, adds its problems to `problems` and returns undefined;
 * rethrows other errors.
 */
async function collectErrors<T>(
  problems: string[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems.map(formatProblem))
    return undefined
  }
}
