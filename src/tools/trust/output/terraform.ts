/** Formats the plan as Terraform resources. */
import { quoteHcl } from '../../../lib/shell.ts'
import { toLine } from '../../../lib/printable.ts'
import type { Plan, PlannedCredential, PlannedIdentity } from '../plan.ts'
import { createSymbols, describeIdentity, findResourceId, selectWritable } from './names.ts'

/** Returns resources for all credentials, formatted as `terraform fmt` does, and imports those that exist. */
export function formatTerraform(plan: Plan): string {
  const symbols = createSymbols(plan.identities)
  const blocks = selectWritable(plan.identities).map((identity) => {
    const symbol = symbols.get(identity) ?? ''
    return identity.kind === 'application'
      ? formatApplication(identity, symbol)
      : formatManagedIdentity(identity, symbol)
  })
  const head = [
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# Needs azurerm 4.65 or later, which writes the credentials of one identity one after the other.',
  ].join('\n')
  return `${[head, ...blocks].join('\n\n')}\n`
}

function formatManagedIdentity(identity: PlannedIdentity, symbol: string): string {
  const resourceId = findResourceId(identity)
  const address = `azurerm_federated_identity_credential.${symbol}`
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
  to = ${address}[${quoteHcl(name)}]
  id = ${quoteHcl(`${resourceId ?? ''}/federatedIdentityCredentials/${name}`)}
}`,
    ),
  ].join('\n\n')
}

function formatApplication(identity: PlannedIdentity, symbol: string): string {
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

function findExisting({ credentials }: PlannedIdentity): readonly PlannedCredential[] {
  return credentials.filter(({ state }) => state === 'present' || state === 'different')
}

function formatForEach(credentials: readonly PlannedCredential[]): string {
  const entries = credentials.map(
    ({ name, issuer, subject, audience, sources }) => `    # For ${toLine(sources.join(', '))}
    ${quoteHcl(name)} = {
      issuer   = ${quoteHcl(issuer)}
      subject  = ${quoteHcl(subject)}
      audience = ${quoteHcl(audience)}
    }`,
  )
  return `  for_each = {\n${entries.join('\n')}\n  }`
}
