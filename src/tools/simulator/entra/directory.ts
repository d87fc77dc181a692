/** The simulated Entra directory: tenants, applications with their credentials, and resources. */
import { z } from 'zod'

/** Application id URI and app id of the resource whose tokens are assertions themselves. */
export const TOKEN_EXCHANGE = {
  uri: 'api://AzureADTokenExchange',
  appId: 'fb60f99c-7a34-4190-8149-302f77469936',
} as const

/** Entra ID also accepts wrong values here; they fail at the exchange. */
export const FederatedCredentialSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$/u, 'must have 3 to 120 letters, digits, - and _')
    .default('kubernetes'),
  issuer: z.string().min(1).max(600),
  subject: z.string().min(1).max(600),
  audience: z.string().min(1).max(600).default(TOKEN_EXCHANGE.uri),
})

export const ApplicationSchema = z.strictObject({
  clientId: z.guid(),
  tenantId: z.guid(),
  /** Object id of the service principal: `oid` and `sub` of its access tokens. */
  objectId: z.guid().optional(),
  name: z.string().default('application'),
  kind: z.enum(['application', 'managed-identity']).default('application'),
  /** ARM id of a managed identity: `xms_mirid`. */
  resourceId: z.string().optional(),
  federatedCredentials: z.array(FederatedCredentialSchema).max(20).default([]),
})

const TenantSchema = z.strictObject({
  id: z.guid(),
  /** Shown in error texts in place of the id. */
  name: z.string().default('Simulated Tenant'),
  domains: z.array(z.string()).default([]),
})

const ResourceSchema = z.strictObject({
  name: z.string(),
  appId: z.guid(),
  /** Application id URIs, without `/.default`. `*` stands for any text; a trailing slash is ignored. */
  identifiers: z.array(z.string()).default([]),
  /** `accessTokenAcceptedVersion`: determines the claims of both endpoints' tokens. */
  tokenVersion: z.literal([1, 2]).default(1),
})

/** The directory as described in code and in a configuration file. */
export const DirectorySchema = z.strictObject({
  tenants: z.array(TenantSchema).min(1),
  applications: z.array(ApplicationSchema).default([]),
  resources: z.array(ResourceSchema).default([]),
  /** `reject`: AADSTS500011, as Entra ID. `issue`: a token for any resource, for load tests. */
  unknownResources: z.enum(['reject', 'issue']).default('reject'),
})

export type Application = z.infer<typeof ApplicationSchema>
export type ResourceInput = z.input<typeof ResourceSchema>
export type Tenant = z.infer<typeof TenantSchema>
export type Resource = z.infer<typeof ResourceSchema>
export type DirectoryInput = z.input<typeof DirectorySchema>
/** The state of the simulated Entra ID. It may be changed while the simulator runs. */
export type Directory = z.infer<typeof DirectorySchema>

/** Finds a tenant by id or verified domain, case-insensitively. */
export function findTenant(directory: Directory, idOrDomain: string): Tenant | undefined {
  const normalized = idOrDomain.toLowerCase()
  return directory.tenants.find(
    ({ id, domains }) =>
      id.toLowerCase() === normalized ||
      domains.some((domain) => domain.toLowerCase() === normalized),
  )
}

/** Finds an application of this tenant by client id, case-insensitively. */
export function findApplication(
  directory: Directory,
  tenant: Tenant,
  clientId: string,
): Application | undefined {
  return directory.applications.find(
    (application) =>
      application.tenantId.toLowerCase() === tenant.id.toLowerCase() &&
      application.clientId.toLowerCase() === clientId.toLowerCase(),
  )
}

/** Finds a resource by identifier or app id. Ignores case and a trailing slash. */
export function findResource(directory: Directory, identifier: string): Resource | undefined {
  const normalized = normalizeIdentifier(identifier)
  return directory.resources.find(
    ({ appId, identifiers }) =>
      appId.toLowerCase() === normalized ||
      identifiers.some((known) => matchesIdentifier(normalizeIdentifier(known), normalized)),
  )
}

/** Creates a resource for `unknownResources: issue`. */
export const createUnknownResource = (identifier: string): Resource => ({
  name: identifier,
  appId: '00000000-0000-4000-8000-000000000000',
  identifiers: [identifier],
  tokenVersion: 1,
})

/** Compares with a known identifier, in which `*` stands for any text. */
function matchesIdentifier(known: string, requested: string): boolean {
  const [prefix = '', suffix] = known.split('*')
  if (suffix === undefined) return known === requested
  const { length } = prefix + suffix
  return requested.startsWith(prefix) && requested.endsWith(suffix) && requested.length > length
}

const normalizeIdentifier = (identifier: string): string =>
  identifier.toLowerCase().replace(/\/+$/u, '')
