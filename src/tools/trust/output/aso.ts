/** Formats the plan as objects of the Azure Service Operator. */
import { stringify } from 'yaml'
import { toLine } from '../../../lib/printable.ts'
import type { Plan, PlannedIdentity } from '../plan.ts'
import { createSymbols, findResourceId, omit, type Output, selectWritable } from './names.ts'

/** Quoted, so that no text is taken for a number or null; as JSON, since the library folds some texts wrongly. */
const YAML_OPTIONS = {
  defaultStringType: 'QUOTE_DOUBLE',
  defaultKeyType: 'PLAIN',
  doubleQuotedAsJSON: true,
  lineWidth: 0,
} as const

/**
 * Returns one FederatedIdentityCredential for each credential of a managed identity. A resource id that is not known
 * is a variable in the notation of envsubst and Flux.
 */
export function formatAsoObjects(plan: Plan): Output {
  const symbols = createSymbols(plan.identities)
  const identities = selectWritable(plan.identities)
  const managed = identities.filter(({ kind }) => kind === 'managed-identity')
  const variables = new Map(
    managed
      .filter((identity) => findResourceId(identity) === undefined)
      .map((identity) => [identity, `${symbols.get(identity) ?? ''}_ID`.toUpperCase()]),
  )
  const findings = identities
    .filter(({ kind }) => kind === 'application')
    .map((identity) =>
      omit(identity, 'the operator has no applications. Fix: use -o az or terraform'),
    )
  const lines = [
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The operator may write credentials of one identity at the same time. Azure rejects all but one (409), and',
    '# the operator tries again until each is written.',
    ...formatVariables(variables),
    ...managed.flatMap((identity) => {
      const variable = variables.get(identity)
      return formatIdentity(identity, findResourceId(identity) ?? `\${${variable ?? ''}}`)
    }),
    '',
  ]
  return { text: lines.join('\n'), findings }
}

/** Returns the comment that says how to fill in the variables; nothing without any. */
function formatVariables(variables: ReadonlyMap<PlannedIdentity, string>): string[] {
  if (variables.size === 0) return []
  return [
    '#',
    '# Fill in the resource ids of the managed identities, by envsubst or by postBuild.substitute of Flux:',
    ...[...variables].map(
      ([{ clientId }, name]) => `#   ${name}  the one with the client id ${clientId}`,
    ),
    '# Or run wimds trust with --identities FILE, in which it finds them: az identity list -o json > FILE',
  ]
}

function formatIdentity({ clientId, credentials }: PlannedIdentity, armId: string): string[] {
  return credentials.map(({ name, issuer, subject, audience, sources }) => {
    const [, , namespace = 'default'] = subject.split(':')
    const object = {
      apiVersion: 'managedidentity.azure.com/v1api20230131',
      kind: 'FederatedIdentityCredential',
      // Another identity can have a credential of the same name.
      metadata: { name: toObjectName(`${name}-${clientId}`), namespace },
      spec: { azureName: name, owner: { armId }, issuer, subject, audiences: [audience] },
    }
    return `---\n# For ${toLine(sources.join(', '))}\n${stringify(object, YAML_OPTIONS).trimEnd()}`
  })
}

function toObjectName(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
}
