/** Creates the commands for what an exchange needs: a federated credential, or an identity binding. */
import type { Assertion } from '../exchange/assertion.ts'
import type { Identity } from '../identities.ts'
import { quoteForShell } from '../lib/shell.ts'
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
  const name = createName(subject)
  const { group, identity, subscription } = parseResourceId(resourceId)
  const parameters = JSON.stringify({ name, issuer, subject, audiences: [audience] })
  return {
    azManagedIdentity: [
      'az identity federated-credential create',
      `--name ${name}`,
      `--identity-name ${quoteForShell(identity)}`,
      `--resource-group ${quoteForShell(group)}`,
      ...(subscription === undefined ? [] : [`--subscription ${quoteForShell(subscription)}`]),
      `--issuer ${quoteForShell(issuer)}`,
      `--subject ${quoteForShell(subject)}`,
      `--audiences ${quoteForShell(audience)}`,
    ].join(' '),
    azApplication: `az ad app federated-credential create --id ${clientId} --parameters ${quoteForShell(parameters)}`,
    terraform: `resource "azurerm_federated_identity_credential" ${quoteHcl(name)} {
  name                = ${quoteHcl(name)}
  resource_group_name = ${quoteHcl(group)}
  parent_id           = ${resourceId === undefined ? 'azurerm_user_assigned_identity.IDENTITY_NAME.id' : quoteHcl(resourceId)}
  issuer              = ${quoteHcl(issuer)}
  subject             = ${quoteHcl(subject)}
  audience            = [${quoteHcl(audience)}]
}`,
  }
}

/** Returns the commands for an exchange through the token proxy of AKS identity bindings. */
export function createBindingCommands(
  { clientId, resourceId }: Pick<Identity, 'clientId' | 'resourceId'>,
  { subject }: Pick<Claims, 'subject'>,
): BindingCommands {
  const [namespace = 'NAMESPACE', account = 'SERVICEACCOUNT'] = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
  const { group, identity } = parseResourceId(resourceId)
  const name = `use-identity-${clientId}`
  return {
    azIdentityBinding: [
      'az aks identity-binding create',
      '--resource-group RESOURCE_GROUP --cluster-name CLUSTER',
      `--name ${quoteForShell(identity)}`,
      `--managed-identity-resource-id ${
        resourceId === undefined
          ? `"$(az identity show --resource-group ${group} --name ${identity} --query id --output tsv)"`
          : quoteForShell(resourceId)
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
  name: ${name}-${createName(subject)}
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

/** Returns a name of 3 to 120 URL-safe characters, derived from the subject. */
function createName(subject: string): string {
  const [namespace = '', account = ''] = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
    .map((part) => part.replace(/[^\w-]+/g, '-'))
  return `wimds-${namespace}-${account}`.replace(/-+$/, '').slice(0, 120)
}

interface ResourceIdParts {
  readonly subscription?: string
  readonly group: string
  readonly identity: string
}

function parseResourceId(resourceId = ''): ResourceIdParts {
  const [, subscription, group, identity] =
    /^\/subscriptions\/([^/]+)\/resourcegroups\/([^/]+)\/.*\/([^/]+)$/i.exec(resourceId) ?? []
  if (subscription === undefined || group === undefined || identity === undefined) {
    return { group: 'RESOURCE_GROUP', identity: 'IDENTITY_NAME' }
  }
  return { subscription, group, identity }
}

/** Quotes an HCL string, in which `${` and `%{` begin templates. */
function quoteHcl(text: string): string {
  return JSON.stringify(text).replaceAll(/[$%](?=\{)/g, (sign) => sign + sign)
}
