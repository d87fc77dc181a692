/** Reads the YAML file of `wimds simulate --config`: directory, external issuers, certificate and faults. */
import { createSecureContext } from 'node:tls'
import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'
import { parseYaml } from '../../service/yaml.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile } from '../../lib/files.ts'
import type { IssuedCertificate } from '../../lib/x509.ts'
import { formatIssue } from './format-issue.ts'
import { DirectorySchema } from './entra/directory.ts'
import { type IssuerRoute, IssuerRouteSchema } from './entra/issuer-keys.ts'
import { FaultsSchema } from './faults/faults.ts'
import { ProjectedTokenSchema } from './issuer/issuer.ts'
import type { SimulatorOptions } from './simulator.ts'

/** An issuer outside the simulator, such as the API server of a test cluster. */
const ExternalIssuer = IssuerRouteSchema.extend({
  issuer: z.url(),
  /** PEM of its CA. Default: Node's own roots. */
  caFile: z.string().optional(),
})

/** The certificate of Entra ID and its key, both PEM. */
const CertificateFiles = z.strictObject({ certFile: z.string(), keyFile: z.string() })

const ConfigFile = DirectorySchema.extend({
  issuers: z.array(ExternalIssuer).default([]),
  projectedToken: ProjectedTokenSchema.omit({ claims: true, header: true }).default({}),
  tls: CertificateFiles.optional(),
  faults: FaultsSchema.default([]),
})
type ConfigFile = z.infer<typeof ConfigFile>

/**
 * Reads and validates the file; without a path, returns the defaults. Throws a ConfigError that lists
 * every problem, or names the first referenced file that cannot be used.
 */
export async function readConfigFile(path: string | undefined): Promise<SimulatorOptions> {
  const { issuers, tls, projectedToken, faults, ...directory } =
    path === undefined ? ConfigFile.parse({}) : await parseFile(path)
  const externalIssuers = new Map<string, IssuerRoute>()
  for (const { issuer, caFile, ...route } of issuers) {
    const dispatcher = createIssuerDispatcher(caFile && (await readNamedFile(caFile)))
    externalIssuers.set(issuer, { ...route, dispatcher })
  }
  return {
    directory,
    externalIssuers,
    tls: tls && (await readCertificate(tls)),
    projectedToken,
    faults,
  }
}

async function readCertificate({
  certFile,
  keyFile,
}: z.infer<typeof CertificateFiles>): Promise<IssuedCertificate> {
  const certPem = await readNamedFile(certFile)
  const keyPem = await readNamedFile(keyFile)
  try {
    createSecureContext({ cert: certPem, key: keyPem })
  } catch (error) {
    const problem = `${certFile} and ${keyFile} are not a certificate and its key: ${errorMessage(error)}`
    throw new ConfigError({ problem, fix: 'pass both in PEM' })
  }
  return { certPem, keyPem }
}

/** Creates a dispatcher that trusts this CA instead of Node's roots. Its idle connections do not keep the process alive. */
const createIssuerDispatcher = (caPem: string | undefined): Dispatcher =>
  new Agent({
    maxResponseSize: 1_048_576,
    connect: {
      // An API server ends an HTTP/2 connection after an anonymous request (CVE-2023-44487), and undici fails
      // the other requests on it.
      allowH2: false,
      ...(caPem !== undefined && { ca: caPem }),
    },
  })

/** Parses the file. Throws a `ConfigError` with every problem and its place. */
async function parseFile(path: string): Promise<ConfigFile> {
  const yaml = await parseYaml(await readNamedFile(path))
  if ('problems' in yaml) {
    throw new ConfigError(
      yaml.problems.map(({ problem, fix }) => ({ problem: `${path}:${problem}`, fix })),
    )
  }
  const { data, error } = ConfigFile.safeParse(yaml.content ?? {})
  if (data !== undefined) return data
  throw new ConfigError(
    error.issues.map((issue) => {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
      const offset = yaml.findOffset([...issue.path, ...keys])
      return `${path}:${yaml.formatPlace(offset)}: ${formatIssue(issue)}`
    }),
  )
}
