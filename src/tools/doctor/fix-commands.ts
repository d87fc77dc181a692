/** The commands of doctor for what an exchange needs: a federated credential in three ways, or an identity binding. */
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import type { AssertionClaims } from '../../lib/errors.ts'
import {
  createCredentialName,
  formatManagedIdentityId,
  parseManagedIdentityId,
} from '../../lib/managed-identity.ts'
import { formatCommand, quoteForShell } from '../../lib/shell.ts'
import {
  canCreateCredential,
  createApplicationCommand,
  createBindingRoles,
  createManagedIdentityCommand,
} from '../../sidecar/exchange/credential-commands.ts'
import type { Identity } from '../../sidecar/identities.ts'
import { quoteHcl } from '../hcl.ts'

/** Three ways to create the same federated credential. */
interface CredentialCommands {
  /** For a user-assigned managed identity. */
  readonly azManagedIdentity: string
  /** For an application registration. */
  readonly azApplication: string
  /** For a user-assigned managed identity. */
  readonly terraform: string
}

/** Commands for an exchange through the token proxy of AKS identity bindings. */
interface BindingCommands {
  /** Creates the identity binding, and with it the federated credential. */
  readonly azIdentityBinding: string
  /** Allows the service account to use the identity: ClusterRole and ClusterRoleBinding. */
  readonly kubectlApply: string
}

type IdentityIds = Pick<Identity, 'clientId' | 'resourceId'>

/**
 * Returns the commands with placeholders in capital letters for values that are not configured; undefined for claims that no
 * command can have. Quotes the claims, which come from a file that is not trusted.
 */
export function createCredentialCommands(
  identity: IdentityIds,
  claims: AssertionClaims,
): CredentialCommands | undefined {
  if (!canCreateCredential(claims)) return undefined
  const {
    issuer,
    subject,
    audience: [audience = DEFAULT_AUDIENCE],
  } = claims
  const name = createCredentialName(issuer, subject)
  const id = parseManagedIdentityId(identity.resourceId ?? '')
  return {
    azManagedIdentity: formatCommand(createManagedIdentityCommand(identity, claims)),
    azApplication: formatCommand(createApplicationCommand(identity, claims)),
    terraform: `resource "azurerm_federated_identity_credential" ${quoteHcl(name)} {
  name                      = ${quoteHcl(name)}
  user_assigned_identity_id = ${id === undefined ? 'azurerm_user_assigned_identity.IDENTITY_NAME.id' : quoteHcl(formatManagedIdentityId(id))}
  issuer                    = ${quoteHcl(issuer)}
  subject                   = ${quoteHcl(subject)}
  audience                  = [${quoteHcl(audience)}]
}`,
  }
}

/** Returns the commands for an exchange through the token proxy of AKS identity bindings. */
export function createBindingCommands(
  { clientId, resourceId }: IdentityIds,
  claims: Pick<AssertionClaims, 'issuer' | 'subject'>,
): BindingCommands {
  const id = parseManagedIdentityId(resourceId ?? '')
  const idToFind =
    '"$(az identity show --resource-group RESOURCE_GROUP --name IDENTITY_NAME --query id --output tsv)"'
  return {
    azIdentityBinding: [
      'az aks identity-binding create',
      '--resource-group RESOURCE_GROUP --cluster-name CLUSTER',
      `--name ${quoteForShell(id?.name ?? 'IDENTITY_NAME')}`,
      `--managed-identity-resource-id ${id ? quoteForShell(formatManagedIdentityId(id)) : idToFind}`,
    ].join(' '),
    kubectlApply: createBindingRoles(clientId, claims),
  }
}
