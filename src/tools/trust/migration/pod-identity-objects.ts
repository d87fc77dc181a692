/** Parses the objects of aad-pod-identity: AzureIdentity and AzureIdentityBinding. */
import * as z from 'zod/mini'
import { isGuid } from '../../../lib/grammars.ts'
import { parseManagedIdentityId } from '../../../lib/managed-identity.ts'
import { formatObject, type OtherObject } from '../cluster-objects.ts'
import type { Report } from '../finding.ts'
import type { KnownIdentity } from '../inventory.ts'

const BEHAVIOR = 'aadpodidentity.k8s.io/Behavior'

/** An AzureIdentity. */
export interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly isNamespaced: boolean
  readonly known: KnownIdentity
  readonly resourceId: string | undefined
  /** Of a service principal. */
  readonly tenantId: string | undefined
  readonly notes: readonly string[]
}

/** An AzureIdentityBinding. */
export interface PodIdentityBinding {
  readonly namespace: string
  readonly name: string
  readonly identity: string
  readonly selector: string
}

const Spec = z.object({
  type: z.optional(z.union([z.number(), z.string()])),
  resourceid: z.optional(z.string()),
  clientid: z.string(),
  tenantid: z.optional(z.string()),
  adendpoint: z.optional(z.string()),
  auxiliarytenantids: z.nullish(z.array(z.string())),
  clientpassword: z.nullish(z.record(z.string(), z.unknown())),
})

const BindingSpec = z.object({ azureidentity: z.string(), selector: z.string() })

/** Members have other letter case in manifests of early versions. */
function lowerKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each]))
}

/** Returns the AzureIdentity; none, and an error in the report, for an invalid one. */
export function parseIdentity(object: OtherObject, report: Report): PodIdentity[] {
  const label = formatObject('AzureIdentity', object)
  const spec = Spec.safeParse(lowerKeys(object.spec)).data
  const clientId = spec?.clientid.trim().toLowerCase() ?? ''
  if (spec === undefined || !isGuid(clientId)) {
    return report.error(label, `spec.clientID must be a GUID, not ${JSON.stringify(clientId)}`)
  }
  const type = String(spec.type ?? 0)
  if (!['0', '1', '2'].includes(type)) {
    return report.error(label, `spec.type must be 0, 1 or 2, not ${JSON.stringify(spec.type)}`)
  }
  const isManaged = type === '0'
  const id = isManaged ? parseManagedIdentityId(spec.resourceid ?? '') : undefined
  const secret = z
    .object({ name: z.string(), namespace: z.optional(z.string()) })
    .safeParse(lowerKeys(spec.clientpassword)).data
  return [
    {
      namespace: object.namespace,
      name: object.name,
      isNamespaced: object.annotations[BEHAVIOR] === 'namespaced',
      known: { clientId, kind: isManaged ? 'managed-identity' : 'application', id },
      resourceId: isManaged ? spec.resourceid : undefined,
      tenantId: isManaged ? undefined : spec.tenantid,
      notes: [
        ...(secret === undefined
          ? []
          : [
              `the Secret ${secret.namespace ?? object.namespace}/${secret.name} and the credential of the application that it holds can be deleted, too`,
            ]),
        ...(spec.adendpoint === undefined
          ? []
          : [
              `its login host ${spec.adendpoint} has to be AZURE_AUTHORITY_HOST of the sidecar, and --authority-host here`,
            ]),
        ...(spec.auxiliarytenantids?.length
          ? [
              'auxiliaryTenantIDs have no equivalent: list the application once per tenant in an identities file',
            ]
          : []),
      ],
    },
  ]
}

/** Returns the AzureIdentityBinding; none, and an error in the report, for an invalid one. */
export function parseBinding(object: OtherObject, report: Report): PodIdentityBinding[] {
  const parsed = BindingSpec.safeParse(lowerKeys(object.spec))
  if (!parsed.success) {
    const label = formatObject('AzureIdentityBinding', object)
    return report.error(label, 'spec must have azureIdentity and selector')
  }
  const { azureidentity: identity, selector } = parsed.data
  return [{ namespace: object.namespace, name: object.name, identity, selector }]
}
