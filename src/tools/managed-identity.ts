/** Managed identities and their federated credentials, as Azure and its command line name them. */
import { createHash } from 'node:crypto'
import { quoteForShell } from './shell.ts'

export interface ManagedIdentityId {
  readonly subscription: string
  readonly resourceGroup: string
  readonly name: string
}

/** Neither a subscription nor a group has `@` or `=`, by which the Azure CLI would read a file. */
const RESOURCE_ID =
  /^\/subscriptions\/([^/\s@=]+)\/resourcegroups\/([^/\p{Cc}@=]+)\/providers\/microsoft\.managedidentity\/userassignedidentities\/([\w-]+)(?:\/federatedidentitycredentials\/[\w-]+)?$/iu

/** Parses the resource id of an identity, or of one of its federated credentials. Returns undefined for any other text. */
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

/** Azure allows 3 to 120 letters, digits, `-` and `_`, the first a letter or digit. A name cannot be changed later. */
const MAX_LENGTH = 120
const HASH_LENGTH = 8

/**
 * Returns a name such as `wimds-shop-orders-1f0c2a9e`, always the same for an issuer and a subject. The hash keeps apart
 * clusters that share an identity, and subjects that differ only in characters that names may not have. Without it one
 * credential would overwrite another with the same name.
 */
export function createCredentialName(issuer: string, subject: string): string {
  const words = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
    .map((part) => part.replace(/[^A-Za-z0-9-]+/g, '-'))
  const prefix = ['wimds', ...words].join('-').slice(0, MAX_LENGTH - HASH_LENGTH - 1)
  const hash = createHash('sha256').update(`${issuer}\n${subject}`).digest('hex')
  return `${prefix.replace(/-+$/, '')}-${hash.slice(0, HASH_LENGTH)}`
}

/** Returns the flags of the Azure CLI that name the identity. */
export function formatIdentityFlags({
  name,
  resourceGroup,
  subscription,
}: ManagedIdentityId): string {
  return `--identity-name ${quoteForShell(name)} --resource-group ${quoteForShell(resourceGroup)} --subscription ${quoteForShell(subscription)}`
}

/**
 * Returns true for an argument that the Azure CLI replaces by the content of a file on the machine where it runs:
 * `@PATH`, also behind the first `=`. There is no way to quote it.
 */
export function namesFileForAz(argument: string): boolean {
  return /^(?:[^=]*=)?@/.test(argument)
}

interface Credential {
  readonly name: string
  readonly issuer: string
  readonly subject: string
  readonly audience: string
}

/** Returns the parts of the command that writes a credential. The flags name the managed identity or the application. */
export function formatWrite(
  verb: 'create' | 'update',
  { kind, flags }: { readonly kind: 'managed-identity' | 'application'; readonly flags: string },
  { name, issuer, subject, audience }: Credential,
): string[] {
  if (kind === 'managed-identity') {
    return [
      `az identity federated-credential ${verb}`,
      `--name ${quoteForShell(name)}`,
      flags,
      `--issuer ${quoteForShell(issuer)}`,
      `--subject ${quoteForShell(subject)}`,
      `--audiences ${quoteForShell(audience)}`,
    ]
  }
  const credential = { issuer, subject, audiences: [audience] }
  // A name cannot be changed.
  const [id, parameters] =
    verb === 'update'
      ? [` --federated-credential-id ${quoteForShell(name)}`, credential]
      : ['', { name, ...credential }]
  return [
    `az ad app federated-credential ${verb}`,
    flags + id,
    `--parameters ${quoteForShell(JSON.stringify(parameters))}`,
  ]
}
