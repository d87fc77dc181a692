/** Formats the plan as Terraform resources. */
import { quoteHcl } from '../../hcl.ts'
import { toLine } from '../../../lib/printable.ts'
import type { Plan, PlannedCredential } from '../plan.ts'
import {
  describeIdentity,
  describeSources,
  selectWritable,
  type WritableIdentity,
} from './writable.ts'

/** Returns resources for all credentials, formatted as `terraform fmt` does, and imports those that exist. */
export function formatTerraform(plan: Plan): string {
  const blocks = selectWritable(plan).map((identity) =>
    identity.kind === 'application' ? formatApplication(identity) : formatManagedIdentity(identity),
  )
  const head = [
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# Needs azurerm 4.65 or later, which writes the credentials of one identity one after the other.',
  ].join('\n')
  return `${[head, ...blocks].join('\n\n')}\n`
}

function formatManagedIdentity(identity: WritableIdentity): string {
  const { symbol, resourceId } = identity
  const variable = `variable "${symbol}_id" {
  description = ${quoteHcl(`Resource id of the managed identity with the client id ${identity.clientId}`)}
  type        = string
}`
  return [
    ...(resourceId === undefined ? [variable] : []),
    `# ${describeIdentity(identity)}
resource "azurerm_federated_identity_credential" "${symbol}" {
${formatForEach(identity.credentials)}

  name                      = each.key
  user_assigned_identity_id = ${resourceId === undefined ? `var.${symbol}_id` : quoteHcl(resourceId)}
  issuer                    = each.value.issuer
  subject                   = each.value.subject
  audience                  = [each.value.audience]
}`,
    ...(resourceId === undefined ? [] : findExisting(identity)).map(
      ({ name }) => `import {
  to = azurerm_federated_identity_credential.${symbol}[${quoteHcl(name)}]
  id = ${quoteHcl(`${resourceId ?? ''}/federatedIdentityCredentials/${name}`)}
}`,
    ),
  ].join('\n\n')
}

function formatApplication(identity: WritableIdentity): string {
  const { symbol } = identity
  return [
    `# ${describeIdentity(identity)}
data "azuread_application" "${symbol}" {
  client_id = ${quoteHcl(identity.clientId)}
}`,
    `${findExisting(identity)
      .map(({ name }) => `# ${toLine(name)} exists already: import it first.\n`)
      .join('')}resource "azuread_application_federated_identity_credential" "${symbol}" {
${formatForEach(identity.credentials)}

  application_id = data.azuread_application.${symbol}.id
  display_name   = each.key
  issuer         = each.value.issuer
  subject        = each.value.subject
  audiences      = [each.value.audience]
}`,
  ].join('\n\n')
}

function findExisting({ credentials }: WritableIdentity): readonly PlannedCredential[] {
  return credentials.filter(({ state }) => state === 'present' || state === 'different')
}

function formatForEach(credentials: readonly PlannedCredential[]): string {
  const entries = credentials.map(
    (credential) => `    # ${describeSources(credential)}
    ${quoteHcl(credential.name)} = {
      issuer   = ${quoteHcl(credential.issuer)}
      subject  = ${quoteHcl(credential.subject)}
      audience = ${quoteHcl(credential.audience)}
    }`,
  )
  return `  for_each = {\n${entries.join('\n')}\n  }`
}
