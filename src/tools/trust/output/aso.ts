/** Formats the plan as objects of the Azure Service Operator. */
import { stringify } from 'yaml'
import { toLine } from '../../../lib/printable.ts'
import type { Plan } from '../plan.ts'
import { describeSources, selectManaged, type WritableIdentity } from './writable.ts'

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
export function formatAsoObjects(plan: Plan): string {
  const identities = selectManaged(plan)
  return [
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The operator may write credentials of one identity at the same time. Azure rejects all but one (409), and',
    '# the operator tries again until each is written.',
    ...formatVariables(identities.filter(({ resourceId }) => resourceId === undefined)),
    ...identities.flatMap(formatIdentity),
    '',
  ].join('\n')
}

/** Returns the comment that says how to fill in the variables; nothing without any. */
function formatVariables(unknown: readonly WritableIdentity[]): string[] {
  if (unknown.length === 0) return []
  return [
    '#',
    '# Fill in the resource ids of the managed identities, by envsubst or by postBuild.substitute of Flux:',
    ...unknown.map(
      (identity) =>
        `#   ${createVariable(identity)}  the one with the client id ${identity.clientId}`,
    ),
    '# Or run wimds trust with --identities FILE, in which it finds them: az identity list -o json > FILE',
  ]
}

function createVariable({ symbol }: WritableIdentity): string {
  return `${symbol}_ID`.toUpperCase()
}

function formatIdentity(identity: WritableIdentity): string[] {
  const armId = identity.resourceId ?? `\${${createVariable(identity)}}`
  return identity.credentials.map((credential) => {
    const { name, issuer, subject, audience } = credential
    const [, , namespace = 'default'] = subject.split(':')
    const object = {
      apiVersion: 'managedidentity.azure.com/v1api20230131',
      kind: 'FederatedIdentityCredential',
      // Another identity can have a credential of the same name.
      metadata: { name: toObjectName(`${name}-${identity.clientId}`), namespace },
      spec: { azureName: name, owner: { armId }, issuer, subject, audiences: [audience] },
    }
    return `---\n# ${describeSources(credential)}\n${stringify(object, YAML_OPTIONS).trimEnd()}`
  })
}

function toObjectName(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
}
