/** Reads the YAML file of `wimds simulate --config`: directory, external issuers and faults. */
import { z } from 'zod'
import { type ParsedYaml, parseYaml } from '../../sidecar/config/yaml.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile } from '../../lib/files.ts'
import {
  ApplicationSchema,
  credentialsOf,
  type DirectoryInput,
  DirectorySchema,
  FederatedCredentialSchema,
} from './entra/directory.ts'
import type { IssuerRoute } from './entra/issuer-keys.ts'
import { KNOWN_RESOURCES } from './entra/known-resources.ts'
import { FaultsSchema } from './faults/faults.ts'
import { createNetworkFetch } from './http/fetch-text.ts'
import { ProjectedTokenSchema } from './issuer/issuer.ts'
import { defaultDirectory, TENANT_ID } from './defaults.ts'
import type { SimulatorOptions } from './simulator.ts'

/** An issuer outside the simulator, such as the API server of a test cluster. */
const ExternalIssuer = z.strictObject({
  issuer: z.url(),
  /** PEM of its CA. Default: Node's own roots. */
  caFile: z.string().optional(),
  discoveryUrl: z.url().optional(),
  jwksUrl: z.url().optional(),
})

/** An application of the file belongs to the first tenant, and trusts the simulator's issuer, unless it says. */
const FileApplication = ApplicationSchema.extend({
  tenantId: ApplicationSchema.shape.tenantId.optional(),
  federatedCredentials: credentialsOf(FederatedCredentialSchema.partial({ issuer: true })).default(
    [],
  ),
})

const ConfigFile = DirectorySchema.extend({
  tenants: DirectorySchema.shape.tenants.optional(),
  applications: z.array(FileApplication).optional(),
  issuers: z.array(ExternalIssuer).default([]),
  secrets: z
    .record(z.string(), z.strictObject({ value: z.string(), allowedClientIds: z.array(z.guid()) }))
    .optional(),
  projectedToken: ProjectedTokenSchema.omit({ claims: true, header: true }).default({}),
  issuerCacheSeconds: z.number().nonnegative().default(0),
  faults: FaultsSchema.default([]),
})
type ConfigFile = z.infer<typeof ConfigFile>

const Issuers = z.object({ issuers: ConfigFile.shape.issuers })

export interface FileSettings {
  readonly simulator: SimulatorOptions
  /** Closes the connections to external issuers. */
  close(): Promise<void>
}

/**
 * Reads and validates the file; without a path, returns the defaults. Throws a ConfigError that lists
 * every problem, including each referenced file that cannot be read.
 */
export async function readConfigFile(path: string | undefined): Promise<FileSettings> {
  const { data, issuers, problems } = await readSections(path)
  const { routes, close } = await openExternalIssuers(issuers, problems)
  if (data === undefined || problems.length > 0) throw new ConfigError(problems)
  return {
    simulator: {
      directory: (issuer) => createDirectoryInput(data, issuer),
      externalIssuers: routes,
      secrets: data.secrets,
      projectedToken: data.projectedToken,
      issuerCacheMs: data.issuerCacheSeconds * 1000,
      faults: data.faults,
    },
    close,
  }
}

interface Sections {
  /** Undefined for an invalid file. */
  readonly data: ConfigFile | undefined
  /** Also of an otherwise invalid file, so that the problems of their files are reported too. */
  readonly issuers: ConfigFile['issuers']
  readonly problems: string[]
}

/** Returns the sections and the problems of the file, each with its place. Throws a `ConfigError` if it is not YAML. */
async function readSections(path: string | undefined): Promise<Sections> {
  if (path === undefined) return { data: ConfigFile.parse({}), issuers: [], problems: [] }
  const yaml: ParsedYaml = await parseYaml(await readNamedFile(path))
  if ('problems' in yaml) {
    throw new ConfigError(
      yaml.problems.map(({ problem, fix }) => ({ problem: `${path}:${problem}`, fix })),
    )
  }
  const content = yaml.content ?? {}
  const { data, error } = ConfigFile.safeParse(content)
  const problems = (error?.issues ?? []).map((issue) => {
    const offset =
      issue.code === 'unrecognized_keys'
        ? yaml.findKeyOffset([...issue.path, ...issue.keys.slice(0, 1)])
        : yaml.findOffset(issue.path)
    return formatIssue(issue, `${path}:${yaml.formatPlace(offset)}: `)
  })
  return { data, issuers: Issuers.safeParse(content).data?.issuers ?? [], problems }
}

/** Formats `applications[0].clientId: …`, which says the allowed values, after the prefix. */
function formatIssue({ path, message }: z.core.$ZodIssue, prefix: string): string {
  const name = path.length === 0 ? '' : `${z.core.toDotPath(path)}: `
  return `${prefix}${name}${message}`
}

/** Adds the known resources, the simulator's issuer and the first tenant. */
function createDirectoryInput(file: ConfigFile, issuer: string): DirectoryInput {
  const defaults = defaultDirectory(issuer)
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

/** Returns a route to each issuer. Adds a problem for each file that cannot be read. */
async function openExternalIssuers(issuers: ConfigFile['issuers'], problems: string[]) {
  const closers: (() => Promise<void>)[] = []
  const routes = new Map<string, IssuerRoute>()
  for (const { issuer, caFile, discoveryUrl, jwksUrl } of issuers) {
    try {
      const network = createNetworkFetch(
        caFile === undefined ? undefined : await readNamedFile(caFile),
      )
      closers.push(() => network.close())
      routes.set(issuer, { fetchText: network.fetchText, discoveryUrl, jwksUrl })
    } catch (error) {
      problems.push(`issuers: ${issuer}: ${firstLine(error)}`)
    }
  }
  const close = async () => {
    await Promise.all(closers.map((closer) => closer()))
  }
  return { routes, close }
}

/** Returns the first line of a message. The YAML parser's further lines quote the file, which may hold secrets. */
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
