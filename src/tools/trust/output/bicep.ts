/** Formats the plan as a Bicep file for one resource group. */
import { UsageError } from '../../../lib/errors.ts'
import { toLine } from '../../../lib/printable.ts'
import type { Plan } from '../plan.ts'
import {
  describeIdentity,
  describeSources,
  selectWritable,
  type WritableIdentity,
} from './writable.ts'

const IDENTITY_TYPE = 'Microsoft.ManagedIdentity/userAssignedIdentities'
const API_VERSION = '2023-01-31'

/**
 * Returns a file that deploys all credentials of the managed identities. Throws
 * a `UsageError` if the identities are in several resource groups: a Bicep file is deployed to one.
 */
export function formatBicep(plan: Plan): string {
  const identities = selectWritable(plan).filter(({ kind }) => kind === 'managed-identity')
  const groups = new Set(identities.flatMap(({ id }) => id?.resourceGroup ?? []))
  if (groups.size > 1) {
    throw new UsageError([
      {
        problem: `-o bicep: the identities are in the resource groups ${[...groups].join(', ')}, and a Bicep file is deployed to one`,
        fix: 'run it once for each, with --resource-group',
      },
    ])
  }
  const [group = 'RESOURCE_GROUP'] = groups
  return [
    `// Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    `// Deploy it with: az deployment group create --resource-group ${toLine(group)} --template-file FILE`,
    '// @batchSize(1) writes the credentials of one identity one after the other: Azure rejects concurrent writes.',
    ...identities.flatMap(formatIdentity),
    '',
  ].join('\n')
}

function formatIdentity(identity: WritableIdentity): string[] {
  const { id, clientId, credentials, symbol } = identity
  return [
    '',
    ...(id === undefined
      ? [
          `@description('Name of the managed identity with the client id ${clientId}')`,
          `param ${symbol}_name string`,
          '',
        ]
      : []),
    `// ${describeIdentity(identity)}`,
    `resource ${symbol} '${IDENTITY_TYPE}@${API_VERSION}' existing = {`,
    `  name: ${id === undefined ? `${symbol}_name` : quoteBicep(id.name)}`,
    '}',
    '',
    '@batchSize(1)',
    `resource ${symbol}_credentials '${IDENTITY_TYPE}/federatedIdentityCredentials@${API_VERSION}' = [`,
    '  for credential in [',
    ...credentials.flatMap((credential) => [
      `    // ${describeSources(credential)}`,
      '    {',
      ...(['name', 'issuer', 'subject', 'audience'] as const).map(
        (key) => `      ${key}: ${quoteBicep(credential[key])}`,
      ),
      '    }',
    ]),
    '  ]: {',
    `    parent: ${symbol}`,
    '    name: credential.name',
    '    properties: {',
    '      issuer: credential.issuer',
    '      subject: credential.subject',
    '      audiences: [',
    '        credential.audience',
    '      ]',
    '    }',
    '  }',
    ']',
  ]
}

/** Returns the text as a string literal, in which `${` begins no interpolation. */
function quoteBicep(text: string): string {
  const escaped = text
    .replaceAll(/['\\]/g, (sign) => `\\${sign}`)
    .replaceAll('${', String.raw`\${`)
    .replaceAll(
      /[\p{Cc}\u2028\u2029]/gu,
      (sign) => String.raw`\u` + `{${sign.charCodeAt(0).toString(16)}}`,
    )
  return `'${escaped}'`
}
