/** Creates the commands for what an exchange needs: a federated credential, or an identity binding. */
import type { Assertion } from '../exchange/assertion.ts'
import type { Identity } from '../identities.ts'
import { quoteHcl } from '../lib/hcl.ts'
import { quoteForShell } from '../lib/shell.ts'
import { createCredentialName } from '../lib/credential-name.ts'
import { formatManagedIdentityId, parseManagedIdentityId } from '../lib/managed-identity.ts'
import type { BindingCommands, CredentialCommands } from './report.ts'

type Claims = Pick<Assertion, 'issuer' | 'subject' | 'audience'>

/**
 * Returns the commands with placeholders in capital letters for what is not configured. Quotes the
 * claims, which come from a file that is not trusted.
 */
export function createCredentialCommands(
  { clientId, resourceId }: Pick<Identity, 'clientId' | 'resourceId'>,
  { issuer, subject, audience: [audience = 'api://AzureADTokenExchange'] }: Claims,
): CredentialCommands {
  const name = createCredentialName(issuer, subject)
  const id = parseManagedIdentityId(resourceId ?? '')
  const parameters = JSON.stringify({ name, issuer, subject, audiences: [audience] })
  return {
    azManagedIdentity: [
      'az identity federated-credential create',
      `--name ${name}`,
      `--identity-name ${quoteForShell(id?.name ?? 'IDENTITY_NAME')}`,
      `--resource-group ${quoteForShell(id?.resourceGroup ?? 'RESOURCE_GROUP')}`,
      ...(id === undefined ? [] : [`--subscription ${quoteForShell(id.subscription)}`]),
      `--issuer ${quoteForShell(issuer)}`,
      `--subject ${quoteForShell(subject)}`,
      `--audiences ${quoteForShell(audience)}`,
    ].join(' '),
    azApplication: `az ad app federated-credential create --id ${clientId} --parameters ${quoteForShell(parameters)}`,
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
  { clientId, resourceId }: Pick<Identity, 'clientId' | 'resourceId'>,
  { issuer, subject }: Pick<Claims, 'issuer' | 'subject'>,
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
