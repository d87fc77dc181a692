/** The simulated Entra directory: tenants, applications with their credentials, and resources. */
import { z } from 'zod'

const DEFAULT_AUDIENCE = 'api://AzureADTokenExchange'

/** A credential as Entra accepts it: wrong values too, since they only fail at the exchange. */
const FederatedCredentialSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$/u, '3 to 120 URL-safe characters')
    .default('kubernetes'),
  issuer: z.string().min(1).max(600),
  subject: z.string().min(1).max(600),
  audience: z.string().min(1).max(600).default(DEFAULT_AUDIENCE),
})

const ApplicationSchema = z
  .strictObject({
    clientId: z.guid(),
    tenantId: z.guid(),
    /** Object id of the service principal: `oid` and `sub` of its access tokens. */
    objectId: z.guid().optional(),
    name: z.string().default('application'),
    kind: z.enum(['application', 'managed-identity']).default('application'),
    /** ARM id of a managed identity: `xms_mirid`. */
    resourceId: z.string().optional(),
    disabled: z.boolean().default(false),
    /** False: registered, but without a service principal in the tenant (AADSTS7000229). */
    servicePrincipal: z.boolean().default(true),
    federatedCredentials: z.array(FederatedCredentialSchema).max(20).default([]),
    /** App roles by resource identifier: the `roles` claim. */
    roles: z.record(z.string(), z.array(z.string())).default({}),
    /** Id of a conditional-access policy that blocks this application (AADSTS53003). */
    blockedByPolicy: z.guid().optional(),
    /** Life of its access tokens; by default as Entra does for the kind. */
    tokenLifetimeSeconds: z.int().positive().optional(),
    refreshInSeconds: z.int().positive().optional(),
  })
  .superRefine((application, context) => {
    const seen = new Set<string>()
    for (const [index, { issuer, subject }] of application.federatedCredentials.entries()) {
      const key = JSON.stringify([issuer, subject])
      if (seen.has(key)) {
        context.addIssue({
          code: 'custom',
          path: ['federatedCredentials', index],
          message: 'issuer and subject must be unique per application',
        })
      }
      seen.add(key)
    }
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
  /** Application id URIs, without `/.default`; a trailing slash makes no difference. */
  identifiers: z.array(z.string()).default([]),
  /** `accessTokenAcceptedVersion` of the resource: decides the claims, whatever the endpoint. */
  tokenVersion: z.union([z.literal(1), z.literal(2)]).default(1),
  disabled: z.boolean().default(false),
  /** True: only applications that hold a role get a token (AADSTS501051). */
  assignmentRequired: z.boolean().default(false),
})

/** Applications and resources as the directory is described in code and in a file. */
export const DirectorySchema = z.strictObject({
  tenants: z.array(TenantSchema).min(1),
  applications: z.array(ApplicationSchema).default([]),
  resources: z.array(ResourceSchema).default([]),
  /** `issue`: a token for any resource, as load tests want; `refuse`: AADSTS500011, as Entra does. */
  unknownResources: z.enum(['refuse', 'issue']).default('refuse'),
})

export type FederatedCredential = z.infer<typeof FederatedCredentialSchema>
export type Application = z.infer<typeof ApplicationSchema>
export type ResourceInput = z.input<typeof ResourceSchema>
export type ApplicationInput = z.input<typeof ApplicationSchema>
export type Tenant = z.infer<typeof TenantSchema>
export type Resource = z.infer<typeof ResourceSchema>
export type DirectoryInput = z.input<typeof DirectorySchema>
/** The state of the simulated Entra: change it while it runs, as an administrator would. */
export type Directory = z.infer<typeof DirectorySchema>

/** The tenant with this id or verified domain; case makes no difference. */
export function findTenant(directory: Directory, idOrDomain: string): Tenant | undefined {
  const wanted = idOrDomain.toLowerCase()
  return directory.tenants.find(
    ({ id, domains }) =>
      id.toLowerCase() === wanted || domains.some((domain) => domain.toLowerCase() === wanted),
  )
}

/** The application of this tenant with this client id; case makes no difference. */
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

/** The resource that an identifier or app id names; a trailing slash or case makes no difference. */
export function findResource(directory: Directory, identifier: string): Resource | undefined {
  const wanted = comparable(identifier)
  return directory.resources.find(
    ({ appId, identifiers }) =>
      appId.toLowerCase() === wanted || identifiers.some((known) => comparable(known) === wanted),
  )
}

/** A resource for `unknownResources: issue`: it exists because it was asked for. */
export const inventedResource = (identifier: string): Resource => ({
  name: identifier,
  appId: '00000000-0000-4000-8000-000000000000',
  identifiers: [identifier],
  tokenVersion: 1,
  disabled: false,
  assignmentRequired: false,
})

const comparable = (identifier: string): string => identifier.toLowerCase().replace(/\/+$/u, '')
