/** The YAML file of `wimds simulate`: what Entra knows, and how it reaches foreign issuers. */
import { parse } from 'yaml'
import { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { readWholeFile } from '../lib/files.ts'
import { DirectorySchema } from './entra/directory.ts'
import { FaultsSchema, type FaultInput } from './faults/faults.ts'
import type { IssuerRoute } from './entra/issuer-keys.ts'
import { KNOWN_RESOURCES } from './entra/known-resources.ts'
import { outboundFetch } from './http/fetch-text.ts'
import { defaultDirectory, TENANT_ID } from './defaults.ts'
import type { SimulatorOptions } from './options.ts'

/** An issuer other than the simulator's own, such as the API server of a test cluster. */
const ExternalIssuer = z.strictObject({
  issuer: z.url(),
  /** PEM that its certificate is checked with; by default Node's own roots. */
  caFile: z.string().optional(),
  /** Sent with the request, and read anew each time. */
  bearerTokenFile: z.string().optional(),
  discoveryUrl: z.url().optional(),
  jwksUrl: z.url().optional(),
})

/** Members of an application that the file may leave out; DirectorySchema checks all the others. */
const FileApplication = z.looseObject({
  tenantId: z.guid().optional(),
  federatedCredentials: z.array(z.looseObject({ issuer: z.string().optional() })).default([]),
})

const ConfigFile = z.strictObject({
  tenants: z.array(z.unknown()).optional(),
  applications: z.array(FileApplication).optional(),
  /** Known besides those of the public cloud. */
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

export interface FileSettings {
  readonly world: SimulatorOptions
  readonly faults: readonly FaultInput[]
  /** Ends the connections to external issuers. */
  close(): Promise<void>
}

/**
 * Reads the file, or takes the defaults without one. Throws a ConfigError that names every mistake
 * in it, and every file it names that cannot be read.
 */
export async function readConfigFile(path: string | undefined): Promise<FileSettings> {
  const file = ConfigFile.safeParse(path === undefined ? {} : await readYaml(path))
  if (!file.success) throw new ConfigError(z.prettifyError(file.error))
  const { data } = file
  // The own issuer's URL is not known before it listens; any will do to find mistakes.
  const directory = DirectorySchema.safeParse(directoryInput(data, 'https://issuer.invalid'))
  const { routes, mistakes, close } = await externalIssuers(data)
  if (!directory.success) mistakes.unshift(z.prettifyError(directory.error))
  if (mistakes.length > 0) throw new ConfigError(mistakes.join('\n'))
  return {
    world: {
      directory: (issuer) => DirectorySchema.parse(directoryInput(data, issuer)),
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

async function readYaml(path: string): Promise<unknown> {
  try {
    return parse(await readWholeFile(path)) ?? {}
  } catch (error) {
    throw new ConfigError(`${path}: ${messageOf(error)}`, { cause: error })
  }
}

/** The file's directory, with the own issuer and the first tenant where it names none. */
function directoryInput(file: ConfigFile, issuer: string): unknown {
  const usual = defaultDirectory(issuer)
  const tenants = file.tenants ?? usual.tenants
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
      })) ?? usual.applications?.map((application) => ({ ...application, tenantId })),
    resources: [...KNOWN_RESOURCES, ...file.resources],
    unknownResources: file.unknownResources,
  }
}

async function externalIssuers({ issuers }: ConfigFile) {
  const mistakes: string[] = []
  const closers: (() => Promise<void>)[] = []
  const routes = new Map<string, IssuerRoute>()
  for (const { issuer, caFile, bearerTokenFile, discoveryUrl, jwksUrl } of issuers) {
    try {
      const outbound = outboundFetch({
        ...(caFile === undefined ? {} : { caPem: await readWholeFile(caFile) }),
        ...(bearerTokenFile === undefined
          ? {}
          : { bearerToken: async () => (await readWholeFile(bearerTokenFile)).trim() }),
      })
      closers.push(() => outbound.close())
      const fetchText = (url: string) => outbound.fetchText(url)
      routes.set(issuer, { fetchText, discoveryUrl, jwksUrl })
    } catch (error) {
      mistakes.push(`issuers: ${issuer}: ${messageOf(error)}`)
    }
  }
  const close = async () => {
    await Promise.all(closers.map((closer) => closer()))
  }
  return { routes, mistakes, close }
}

/** The first line: below it, the YAML parser shows those of the file, and so its secrets. */
const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
