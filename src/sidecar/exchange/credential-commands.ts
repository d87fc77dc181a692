/** Creates the commands for what an exchange needs: a federated credential, or an identity binding. */
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import type { AssertionClaims } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import {
  formatCommand,
  namesFileForAz,
  quoteForShell,
  quoteHcl,
  type ShellCommand,
} from '../../lib/shell.ts'
import {
  createCredentialName,
  formatManagedIdentityId,
  parseManagedIdentityId,
} from '../../lib/managed-identity.ts'

/** Three ways to create the same federated credential. */
export interface CredentialCommands {
  /** For a user-assigned managed identity. */
  readonly azManagedIdentity: string
  /** For an application registration. */
  readonly azApplication: string
  /** For a user-assigned managed identity. */
  readonly terraform: string
}

/** Commands for an exchange through the token proxy of AKS identity bindings. */
export interface BindingCommands {
  /** Creates the identity binding, and with it the federated credential. */
  readonly azIdentityBinding: string
  /** Allows the service account to use the identity: ClusterRole and ClusterRoleBinding. */
  readonly kubectlApply: string
}

type IdentityIds = Pick<Identity, 'clientId' | 'resourceId'>

/** Returns the flags that select a managed identity, with placeholders if its resource id is not configured. */
export function createIdentityFlags(resourceId: string | undefined): ShellCommand['flags'] {
  const id = parseManagedIdentityId(resourceId ?? '')
  return [
    ['identity-name', id?.name ?? 'IDENTITY_NAME'],
    ['resource-group', id?.resourceGroup ?? 'RESOURCE_GROUP'],
    ...(id === undefined ? [] : [['subscription', id.subscription] as const]),
  ]
}

/**
 * Returns false if the Azure CLI would replace a claim by the content of a file, and so upload that. The claims come
 * from a file that is not trusted.
 */
export function canCreateCredential({ issuer, subject, audience }: AssertionClaims): boolean {
  return ![issuer, subject, ...audience].some(namesFileForAz)
}

/** Returns the command that creates the federated credential of a managed identity. */
export function createManagedIdentityCommand(
  { resourceId }: Pick<IdentityIds, 'resourceId'>,
  { issuer, subject, audience: [audience = DEFAULT_AUDIENCE] }: AssertionClaims,
): ShellCommand {
  return {
    words: 'az identity federated-credential create',
    flags: [
      ['name', createCredentialName(issuer, subject)],
      ...createIdentityFlags(resourceId),
      ['issuer', issuer],
      ['subject', subject],
      ['audiences', audience],
    ],
  }
}

/** Returns the command that creates the federated credential of an application registration. */
export function createApplicationCommand(
  { clientId }: Pick<IdentityIds, 'clientId'>,
  { issuer, subject, audience: [audience = DEFAULT_AUDIENCE] }: AssertionClaims,
): ShellCommand {
  const name = createCredentialName(issuer, subject)
  const parameters = JSON.stringify({ name, issuer, subject, audiences: [audience] })
  return {
    words: 'az ad app federated-credential create',
    flags: [
      ['id', clientId],
      ['parameters', parameters],
    ],
  }
}

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
  { issuer, subject }: Pick<AssertionClaims, 'issuer' | 'subject'>,
): BindingCommands {
  const [namespace = 'NAMESPACE', account = 'SERVICEACCOUNT'] = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
  const id = parseManagedIdentityId(resourceId ?? '')
  const name = `use-identity-${clientId}`
  return {
    azIdentityBinding: [
      'az aks identity-binding create',
      '--resource-group RESOURCE_GROUP --cluster-name CLUSTER',
      `--name ${quoteForShell(id?.name ?? 'IDENTITY_NAME')}`,
      `--managed-identity-resource-id ${
        id === undefined
          ? '"$(az identity show --resource-group RESOURCE_GROUP --name IDENTITY_NAME --query id --output tsv)"'
          : quoteForShell(formatManagedIdentityId(id))
      }`,
    ].join(' '),
    kubectlApply: `kubectl apply -f - <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: ${name}
rules:
  - apiGroups: [cid.wi.aks.azure.com]
    resources: [${clientId}]
    verbs: [use-managed-identity]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ${name}-${createCredentialName(issuer, subject)}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: ${name}
subjects:
  - kind: ServiceAccount
    name: ${JSON.stringify(account)}
    namespace: ${JSON.stringify(namespace)}
EOF`,
  }
}
