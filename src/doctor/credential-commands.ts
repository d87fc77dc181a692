/** Creates the commands for the federated credential that matches an assertion. */
import type { Assertion } from '../exchange/assertion.ts'
import type { Identity } from '../identities.ts'
import { quoteForShell } from '../lib/shell.ts'
import type { CredentialCommands } from './report.ts'

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
