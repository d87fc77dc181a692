/** Reads the YAML file of `wimds simulate --config`: directory, external issuers and faults. */
import { z } from 'zod'
import { type ParsedYaml, parseYaml } from '../../broker/config/yaml.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readWholeFile } from '../../lib/files.ts'
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
import { createNetworkFetch } from './http/fetch-text.ts'
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

export interface FileSettings {
  readonly simulator: SimulatorOptions
  /** Closes the connections to external issuers. */
  close(): Promise<void>
}

/**
 * Reads and validates the file; without a path, returns the defaults. Throws a ConfigError that lists
 * every problem, or names the first referenced file that cannot be read.
 */
export async function readConfigFile(path: string | undefined): Promise<FileSettings> {
  const data = path === undefined ? ConfigFile.parse({}) : await parseFile(path)
  const { routes, close } = await openExternalIssuers(data.issuers)
  return {
    simulator: {
      directory: (issuer) => createDirectoryInput(data, issuer),
      externalIssuers: routes,
      secrets: data.secrets,
      projectedToken: data.projectedToken,
      faults: data.faults,
    },
    close,
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
function createDirectoryInput(file: ConfigFile, issuer: string): DirectoryInput {
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

/** Returns a route to each issuer. Throws a `ConfigError` for a file that cannot be read. */
async function openExternalIssuers(issuers: ConfigFile['issuers']) {
  const routes = new Map<string, IssuerRoute>()
  const closers: (() => Promise<void>)[] = []
  for (const { issuer, caFile, bearerTokenFile, discoveryUrl, jwksUrl } of issuers) {
    const { fetchText, close } = createNetworkFetch({
      caPem: caFile === undefined ? undefined : await readNamedFile(caFile),
      ...(bearerTokenFile !== undefined && {
        bearerToken: async () => (await readWholeFile(bearerTokenFile)).trim(),
      }),
    })
    routes.set(issuer, { fetchText, discoveryUrl, jwksUrl })
    closers.push(close)
  }
  return { routes, close: async () => void (await Promise.all(closers.map((close) => close()))) }
}
