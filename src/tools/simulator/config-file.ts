/** Reads the YAML file of `wimds simulate --config`: directory, external issuers and faults. */
import { z } from 'zod'
import { type ParsedYaml, parseYaml } from '../../broker/config/yaml.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile } from '../../lib/named-file.ts'
import { formatIssue } from './format-issue.ts'
import {
  ApplicationSchema,
  type DirectoryInput,
  DirectorySchema,
  FederatedCredentialSchema,
} from './entra/directory.ts'
import type { IssuerRoute } from './entra/issuer-keys.ts'
import { KNOWN_RESOURCES } from './entra/known-resources.ts'
import { FaultsSchema } from './faults/faults.ts'
import { createFetchText, createIssuerDispatcher } from './http/fetch-text.ts'
import { ProjectedTokenSchema } from './issuer/issuer.ts'
import { createDefaultDirectory, TENANT_ID } from './defaults.ts'
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

/** An application of the file belongs to the first tenant, and trusts the simulator's issuer, unless it says. */
const FileApplication = ApplicationSchema.extend({
  tenantId: ApplicationSchema.shape.tenantId.optional(),
  federatedCredentials: z
    .array(FederatedCredentialSchema.partial({ issuer: true }))
    .max(20)
    .default([]),
})

const ConfigFile = DirectorySchema.extend({
  tenants: DirectorySchema.shape.tenants.optional(),
  applications: z.array(FileApplication).optional(),
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
  for (const { issuer, caFile, bearerTokenFile, ...urls } of issuers) {
    const dispatcher = createIssuerDispatcher(caFile && (await readNamedFile(caFile)))
    externalIssuers.set(issuer, {
      ...urls,
      fetchText: createFetchText(dispatcher, bearerTokenFile),
    })
  }
  return {
    directory: (issuer) => createDirectoryInput(directory, issuer),
    externalIssuers,
    secrets,
    projectedToken,
    faults,
  }
}

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

/** Adds the known resources, the simulator's issuer and the first tenant. */
function createDirectoryInput(
  file: Pick<ConfigFile, keyof DirectoryInput>,
  issuer: string,
): DirectoryInput {
  const defaults = createDefaultDirectory(issuer)
  const { tenants = defaults.tenants, resources, unknownResources } = file
  const tenantId = tenants[0]?.id ?? TENANT_ID
  const applications = file.applications?.map((application) => ({
    ...application,
    tenantId: application.tenantId ?? tenantId,
    federatedCredentials: application.federatedCredentials.map((credential) => ({
      ...credential,
      issuer: credential.issuer ?? issuer,
    })),
  }))
  return {
    tenants,
    applications: applications ?? defaults.applications.map((each) => ({ ...each, tenantId })),
    resources: [...KNOWN_RESOURCES, ...resources],
    unknownResources,
  }
}
