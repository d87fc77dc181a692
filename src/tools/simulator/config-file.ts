/** Reads the YAML file of `wimds simulate --config`: directory, external issuers and faults. */
import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'
import { type ParsedYaml, parseYaml } from '../../broker/config/yaml.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile } from '../../lib/named-file.ts'
import { formatIssue } from './format-issue.ts'
import { DirectorySchema } from './entra/directory.ts'
import type { IssuerRoute } from './entra/issuer-keys.ts'
import { FaultsSchema } from './faults/faults.ts'
import { ProjectedTokenSchema } from './issuer/issuer.ts'
import type { SimulatorOptions } from './simulator.ts'

/** An issuer outside the simulator, such as the API server of a test cluster. */
const ExternalIssuer = z.strictObject({
  issuer: z.url(),
  /** PEM of its CA. Default: Node's own roots. */
  caFile: z.string().optional(),
  /** Sent as bearer token; read again for each request. */
  bearerTokenFile: z.string().optional(),
  discoveryUrl: z.url().optional(),
  jwksUrl: z.url().optional(),
})

const ConfigFile = DirectorySchema.extend({
  issuers: z.array(ExternalIssuer).default([]),
  secrets: z
    .record(z.string(), z.strictObject({ value: z.string(), allowedClientIds: z.array(z.guid()) }))
    .optional(),
  projectedToken: ProjectedTokenSchema.omit({ claims: true, header: true }).default({}),
  faults: FaultsSchema.default([]),
})
type ConfigFile = z.infer<typeof ConfigFile>

/**
 * Reads and validates the file; without a path, returns the defaults. Throws a ConfigError that lists
 * every problem, or names the first referenced file that cannot be read.
 */
export async function readConfigFile(path: string | undefined): Promise<SimulatorOptions> {
  const { issuers, secrets, projectedToken, faults, ...directory } =
    path === undefined ? ConfigFile.parse({}) : await parseFile(path)
  const externalIssuers = new Map<string, IssuerRoute>()
  for (const { issuer, caFile, ...route } of issuers) {
    const dispatcher = createIssuerDispatcher(caFile && (await readNamedFile(caFile)))
    externalIssuers.set(issuer, { ...route, dispatcher })
  }
  return {
    directory,
    externalIssuers,
    secrets,
    projectedToken,
    faults,
  }
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
  const yaml: ParsedYaml = await parseYaml(await readNamedFile(path))
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
