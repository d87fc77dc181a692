/** Formats the plan as objects of the Azure Service Operator. */
import { stringify } from 'yaml'
import type { Plan, PlannedIdentity } from '../plan.ts'
import { findResourceId, omit, type Output, selectWritable, toLine } from './names.ts'

/** Quoted, so that no text is taken for a number or null. */
const YAML_OPTIONS = {
  defaultStringType: 'QUOTE_DOUBLE',
  defaultKeyType: 'PLAIN',
  lineWidth: 0,
} as const

/** Returns one FederatedIdentityCredential for each credential of a managed identity whose resource id is known. */
export function formatAsoObjects(plan: Plan): Output {
  const head = [
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The operator may write credentials of one identity at the same time. Azure rejects all but one (409), and',
    '# the operator tries again until each is written.',
  ]
  const identities = selectWritable(plan.identities)
  const findings = identities
    .filter((identity) => findResourceId(identity) === undefined)
    .map((identity) =>
      omit(
        identity,
        identity.kind === 'application'
          ? 'the operator has no applications. Fix: use -o az or terraform'
          : 'its resource id is not known. Fix: pass --identities',
      ),
    )
  return { text: [...head, ...identities.flatMap(formatIdentity), ''].join('\n'), findings }
}

function formatIdentity(identity: PlannedIdentity): string[] {
  const armId = findResourceId(identity)
  if (armId === undefined) return []
  return identity.credentials.map(({ name, issuer, subject, audience, sources }) => {
    const [, , namespace = 'default'] = subject.split(':')
    const object = {
      apiVersion: 'managedidentity.azure.com/v1api20230131',
      kind: 'FederatedIdentityCredential',
      // Another identity can have a credential of the same name.
      metadata: { name: toObjectName(`${name}-${identity.clientId}`), namespace },
      spec: { azureName: name, owner: { armId }, issuer, subject, audiences: [audience] },
    }
    return `---\n# For ${toLine(sources.join(', '))}\n${stringify(object, YAML_OPTIONS).trimEnd()}`
  })
}

function toObjectName(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
}
