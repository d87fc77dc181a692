/** The ARM resource id of a user-assigned managed identity. */

export interface ManagedIdentityId {
  readonly subscription: string
  readonly resourceGroup: string
  readonly name: string
}

/** Neither a subscription nor a group has `@` or `=`, by which the Azure CLI would read a file. */
const RESOURCE_ID =
  /^\/subscriptions\/([^/\s@=]+)\/resourcegroups\/([^/\p{Cc}@=]+)\/providers\/microsoft\.managedidentity\/userassignedidentities\/([\w-]+)(?:\/federatedidentitycredentials\/[\w-]+)?$/iu

/** Parses the resource id of an identity, or of one of its federated credentials; undefined for any other. */
export function parseManagedIdentityId(text: string): ManagedIdentityId | undefined {
  const [, subscription, resourceGroup, name] = RESOURCE_ID.exec(text) ?? []
  if (subscription === undefined || resourceGroup === undefined || name === undefined) {
    return undefined
  }
  return { subscription, resourceGroup, name }
}

/** Formats the id with the letter case that the Terraform provider requires; Azure ignores the case. */
export function formatManagedIdentityId(id: ManagedIdentityId): string {
  return [
    `/subscriptions/${id.subscription}`,
    `resourceGroups/${id.resourceGroup}`,
    `providers/Microsoft.ManagedIdentity/userAssignedIdentities/${id.name}`,
  ].join('/')
}

/** Returns true if both are the same identity. */
export function isSameIdentity(one: ManagedIdentityId, other: ManagedIdentityId): boolean {
  const [first, second] = [one, other].map((id) => formatManagedIdentityId(id).toLowerCase())
  return first === second
}
