/** The simulated Entra directory: tenants, applications with their credentials, and resources. */
import { z } from 'zod'
import { BILLING, ORDERS, REPORTS, TENANT_ID } from '../defaults.ts'
import { KNOWN_RESOURCES } from './known-resources.ts'

const Guid = z.guid().toLowerCase()

/** Entra ID also accepts wrong values here; they fail at the exchange. */
const FederatedCredential = z.strictObject({
  /** Default: the simulator's. */
  issuer: z.string().min(1).max(600).optional(),
  subject: z.string().min(1).max(600),
  audience: z.string().min(1).max(600).default('api://AzureADTokenExchange'),
})

const Application = z.strictObject({
  clientId: Guid,
  /** Default: the first tenant. */
  tenantId: Guid.optional(),
  /** Object id of the service principal: `oid` and `sub` of its access tokens. */
  objectId: z.guid().optional(),
  name: z.string().default('application'),
  kind: z.enum(['application', 'managed-identity']).default('application'),
  /** ARM id of a managed identity: `xms_mirid`. */
  resourceId: z.string().optional(),
  federatedCredentials: z.array(FederatedCredential).max(20).default([]),
})

const Tenant = z.strictObject({
  id: Guid,
  /** Shown in error texts in place of the id. */
  name: z.string().default('Simulated Tenant'),
  domains: z.array(z.string().toLowerCase()).default([]),
})

const Resource = z.strictObject({
  appId: Guid,
  /** Application id URIs, without `/.default`. `*` stands for any text; one trailing slash is ignored. */
  identifiers: z.array(z.string()).default([]),
  /** `accessTokenAcceptedVersion`, which determines the claims of tokens. */
  tokenVersion: z.literal([1, 2]).default(1),
})

/** The directory as described in code, in a configuration file and by a control request. */
export const DirectorySchema = z.strictObject({
  tenants: z
    .tuple([Tenant], Tenant)
    .prefault([{ id: TENANT_ID, name: 'Contoso', domains: ['contoso.onmicrosoft.com'] }]),
  applications: z.array(Application).prefault([
    { ...ORDERS, name: 'orders', federatedCredentials: [trustAccount('orders')] },
    { ...BILLING, name: 'billing', federatedCredentials: [trustAccount('billing')] },
    { ...REPORTS, name: 'reports' },
  ]),
  /** Resources besides the known ones. They take precedence. */
  resources: z.array(Resource).default([]),
})

function trustAccount(name: string) {
  return { subject: `system:serviceaccount:shop:${name}` }
}

/** Returns the schema of a directory. Adds this issuer and the first tenant to entries without them. */
export const createDirectorySchema = (defaultIssuer: string) =>
  DirectorySchema.transform(({ applications, ...directory }) => ({
    ...directory,
    applications: applications.map(({ tenantId, federatedCredentials, ...application }) => ({
      ...application,
      tenantId: tenantId ?? directory.tenants[0].id,
      federatedCredentials: federatedCredentials.map(
        ({ issuer = defaultIssuer, ...credential }) => ({
          ...credential,
          issuer,
        }),
      ),
    })),
  }))

export type DirectoryInput = z.input<typeof DirectorySchema>
/** The state of the simulated Entra ID. It may be changed while the simulator runs. */
export type Directory = z.infer<ReturnType<typeof createDirectorySchema>>
export type Application = Directory['applications'][number]
export type Tenant = z.infer<typeof Tenant>
export type Resource = z.infer<typeof Resource>

/** Finds a tenant by id or verified domain, case-insensitively. */
export function findTenant({ tenants }: Directory, idOrDomain: string): Tenant | undefined {
  return tenants.find(({ id, domains }) => [id, ...domains].includes(idOrDomain.toLowerCase()))
}

/** Finds a resource by identifier or app id. Ignores case and one trailing slash: no public source proves more. */
export function findResource(directory: Directory, identifier: string): Resource | undefined {
  const normalized = normalizeIdentifier(identifier)
  return [...directory.resources, ...KNOWN_RESOURCES].find(
    ({ appId, identifiers }) =>
      appId === normalized ||
      identifiers.some((known) => matchesIdentifier(normalizeIdentifier(known), normalized)),
  )
}

/** Compares with a known identifier, in which `*` stands for any text. */
function matchesIdentifier(known: string, requested: string): boolean {
  const [prefix = '', suffix] = known.split('*')
  if (suffix === undefined) return known === requested
  const { length } = prefix + suffix
  return requested.startsWith(prefix) && requested.endsWith(suffix) && requested.length > length
}

const normalizeIdentifier = (identifier: string): string =>
  identifier.toLowerCase().replace(/\/$/u, '')
