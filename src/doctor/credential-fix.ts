/** The commands that create the federated identity credential which an assertion needs. */
import type { Assertion } from '../exchange/assertion.ts'
import type { Identity } from '../identities.ts'
import { quoteForShell } from '../lib/shell.ts'
import type { CredentialFix } from './report.ts'

type Claims = Pick<Assertion, 'issuer' | 'subject' | 'audience'>

/**
 * Filled in as far as is known; what only the operator knows is in capital letters. Claims come from a
 * file and are not to be trusted: what comes of them is quoted.
 */
export function credentialFix(
  { clientId, resourceId }: Pick<Identity, 'clientId' | 'resourceId'>,
  { issuer, subject, audience: [audience = 'api://AzureADTokenExchange'] }: Claims,
): CredentialFix {
  const name = credentialName(subject)
  const { group, identity, subscription } = partsOf(resourceId)
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
    terraform: `resource "azurerm_federated_identity_credential" ${hcl(name)} {
  name                = ${hcl(name)}
  resource_group_name = ${hcl(group)}
  parent_id           = ${resourceId === undefined ? 'azurerm_user_assigned_identity.IDENTITY_NAME.id' : hcl(resourceId)}
  issuer              = ${hcl(issuer)}
  subject             = ${hcl(subject)}
  audience            = [${hcl(audience)}]
}`,
  }
}

/** 3 to 120 URL-safe characters, told from the subject, which is unique per issuer. */
function credentialName(subject: string): string {
  const [namespace = '', account = ''] = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
    .map((part) => part.replace(/[^\w-]+/g, '-'))
  return `wimds-${namespace}-${account}`.replace(/-+$/, '').slice(0, 120)
}

interface ArmParts {
  readonly subscription?: string
  readonly group: string
  readonly identity: string
}

function partsOf(resourceId: string | undefined): ArmParts {
  const [, subscription, group, identity] =
    /^\/subscriptions\/([^/]+)\/resourcegroups\/([^/]+)\/.*\/([^/]+)$/i.exec(resourceId ?? '') ?? []
  if (subscription === undefined || group === undefined || identity === undefined) {
    return { group: 'RESOURCE_GROUP', identity: 'IDENTITY_NAME' }
  }
  return { subscription, group, identity }
}

/** A string of HCL, in which `${` and `%{` begin templates. */
function hcl(text: string): string {
  return JSON.stringify(text).replaceAll(/[$%](?=\{)/g, (sign) => sign + sign)
}
