/** Reads the YAML file of `wimds simulate --config`: directory, external issuers and faults. */
import { z } from 'zod'
import { type ParsedYaml, parseYaml } from '../../sidecar/config/yaml.ts'
import { ConfigError } from '../../lib/errors.ts'
import { readNamedFile, readWholeFile } from '../../lib/files.ts'
import { DirectorySchema } from './entra/directory.ts'
import type { IssuerRoute } from './entra/issuer-keys.ts'
import { KNOWN_RESOURCES } from './entra/known-resources.ts'
import { FaultsSchema, type FaultInput } from './faults/faults.ts'
import { createNetworkFetch } from './http/fetch-text.ts'
import { defaultDirectory, TENANT_ID } from './defaults.ts'
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

/** The file before defaults are filled in. DirectorySchema validates the members. */
const FileApplication = z.looseObject({
  federatedCredentials: z.array(z.looseObject({})).default([]),
})

const ConfigFile = z.strictObject({
  tenants: z.array(z.unknown()).optional(),
  applications: z.array(FileApplication).optional(),
  /** In addition to the known resources of the public cloud. */
  resources: z.array(z.unknown()).default([]),
  unknownResources: z.unknown().optional(),
  issuers: z.array(ExternalIssuer).default([]),
  secrets: z
    .record(z.string(), z.strictObject({ value: z.string(), allowedClientIds: z.array(z.guid()) }))
    .optional(),
  projectedToken: z
    .strictObject({
      namespace: z.string(),
      serviceAccount: z.string(),
      audience: z.string(),
      lifetimeSeconds: z.int().positive(),
    })
    .partial()
    .default({}),
  issuerCacheSeconds: z.number().nonnegative().default(0),
  toleranceSeconds: z.number().nonnegative().default(300),
  errorTrailer: z.enum(['spaces', 'crlf']).default('spaces'),
  faults: FaultsSchema.default([]),
})
type ConfigFile = z.infer<typeof ConfigFile>

/** The sections that DirectorySchema validates. */
const DirectorySections = ConfigFile.pick({
  tenants: true,
  applications: true,
  resources: true,
  unknownResources: true,
}).strip()

export interface FileSettings {
  readonly simulator: SimulatorOptions
  readonly faults: readonly FaultInput[]
  /** Closes the connections to external issuers. */
  close(): Promise<void>
}

/**
 * Reads and validates the file; without a path, returns the defaults. Throws a ConfigError that lists
 * every problem, including each referenced file that cannot be read.
 */
export async function readConfigFile(path: string | undefined): Promise<FileSettings> {
  const { data, problems } =
    path === undefined ? { data: ConfigFile.parse({}), problems: [] } : await readSections(path)
  if (data === undefined) throw new ConfigError(problems)
  const { routes, problems: unreadable, close } = await openExternalIssuers(data)
  problems.push(...unreadable)
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    simulator: {
      directory: (issuer) => DirectorySchema.parse(createDirectoryInput(data, issuer)),
      externalIssuers: routes,
      ...(data.secrets === undefined ? {} : { secrets: data.secrets }),
      projectedToken: data.projectedToken,
      issuerCacheMs: data.issuerCacheSeconds * 1000,
      toleranceMs: data.toleranceSeconds * 1000,
      trailerSeparator: data.errorTrailer === 'crlf' ? '\r\n' : ' ',
    },
    faults: data.faults,
    close,
  }
}

/** Returns the sections and the problems of the file, each with its place. Throws a `ConfigError` if it is not YAML. */
async function readSections(
  path: string,
): Promise<{ readonly data: ConfigFile | undefined; readonly problems: string[] }> {
  const yaml: ParsedYaml = await parseYaml(await readNamedFile(path))
  if ('problems' in yaml) {
    throw new ConfigError(
      yaml.problems.map(({ problem, fix }) => ({ problem: `${path}:${problem}`, fix })),
    )
  }
  const content = yaml.content ?? {}
  const file = ConfigFile.safeParse(content)
  const issues = [...(file.error?.issues ?? []), ...findDirectoryIssues(content)]
  const problems = issues.map((issue) => {
    const offset =
      issue.code === 'unrecognized_keys'
        ? yaml.findKeyOffset([...issue.path, ...issue.keys.slice(0, 1)])
        : yaml.findOffset(issue.path)
    return formatIssue(issue, `${path}:${yaml.formatPlace(offset)}: `)
  })
  return { data: file.data, problems }
}

/** Returns the issues of the directory, by their paths in the file. */
function findDirectoryIssues(content: unknown): z.core.$ZodIssue[] {
  const sections = DirectorySections.safeParse(content)
  if (!sections.success) return []
  // The simulator's issuer URL is unknown until it listens. Validation works with any URL.
  const input = createDirectoryInput(sections.data, 'https://issuer.invalid')
  const { error } = DirectorySchema.safeParse(input)
  return (error?.issues ?? []).map((issue) => {
    const [section, index, ...rest] = issue.path
    if (section !== 'resources' || typeof index !== 'number') return issue
    return { ...issue, path: [section, index - KNOWN_RESOURCES.length, ...rest] }
  })
}

/** Formats `applications[0].clientId: …`, which says the allowed values, after the prefix. */
function formatIssue({ path, message }: z.core.$ZodIssue, prefix: string): string {
  const name = path.length === 0 ? '' : `${z.core.toDotPath(path)}: `
  return `${prefix}${name}${message}`
}

/** Builds the directory. Default issuer: the simulator's own. Default tenant: the first one. */
function createDirectoryInput(file: z.infer<typeof DirectorySections>, issuer: string): unknown {
  const defaults = defaultDirectory(issuer)
  const tenants = file.tenants ?? defaults.tenants
  const firstTenant = z.object({ id: z.string() }).safeParse(tenants[0])
  const tenantId = firstTenant.data?.id ?? TENANT_ID
  return {
    tenants,
    applications:
      file.applications?.map((application) => ({
        tenantId,
        ...application,
        federatedCredentials: application.federatedCredentials.map((credential) => ({
          issuer,
          ...credential,
        })),
      })) ?? defaults.applications?.map((application) => ({ ...application, tenantId })),
    resources: [...KNOWN_RESOURCES, ...file.resources],
    unknownResources: file.unknownResources,
  }
}

async function openExternalIssuers({ issuers }: ConfigFile) {
  const problems: string[] = []
  const closers: (() => Promise<void>)[] = []
  const routes = new Map<string, IssuerRoute>()
  for (const { issuer, caFile, bearerTokenFile, discoveryUrl, jwksUrl } of issuers) {
    try {
      const network = createNetworkFetch({
        ...(caFile === undefined ? {} : { caPem: await readNamedFile(caFile) }),
        ...(bearerTokenFile === undefined
          ? {}
          : { bearerToken: async () => (await readWholeFile(bearerTokenFile)).trim() }),
      })
      closers.push(() => network.close())
      routes.set(issuer, { fetchText: network.fetchText, discoveryUrl, jwksUrl })
    } catch (error) {
      problems.push(`issuers: ${issuer}: ${firstLine(error)}`)
    }
  }
  const close = async () => {
    await Promise.all(closers.map((closer) => closer()))
  }
  return { routes, problems, close }
}

/** Returns the first line of a message. The YAML parser's further lines quote the file, which may hold secrets. */
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
