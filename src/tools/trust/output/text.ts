/** Formats the plan for people. */
import { toLine } from '../../../lib/printable.ts'
import {
  CREDENTIAL_LIMIT,
  type Plan,
  type PlannedCredential,
  type PlannedIdentity,
} from '../plan.ts'

/** Returns the report, without the findings. */
export function formatText(plan: Plan): string {
  return [
    `Federated credentials for the issuer ${toLine(plan.issuer)}`,
    ...plan.identities.flatMap((identity) => ['', ...formatIdentity(identity)]),
    '',
    plan.identities.length === 0 ? 'None is needed by the input.' : formatTotal(plan),
    '',
  ].join('\n')
}

function formatTotal({ identities }: Plan): string {
  const credentials = identities.flatMap((identity) => identity.credentials)
  const counts = Object.entries(STATES).map(
    ([state, name]) => [credentials.filter((each) => each.state === state).length, name] as const,
  )
  const extra = identities.flatMap((identity) => identity.extra).length
  const parts = [...counts, [extra, 'extra'] as const].filter(([count]) => count > 0)
  return `Total (identities: ${identities.length}): ${parts.map((part) => part.join(' ')).join(', ')}`
}

function formatIdentity(identity: PlannedIdentity): string[] {
  const { id, count, isCompared, credentials, extra } = identity
  const place = id === undefined ? '' : `, resource group ${toLine(id.resourceGroup)}`
  const compared = isCompared ? '' : '; those that exist are not counted: pass --existing'
  return [
    `${describeIdentity(identity)}${place}`,
    `  ${count} of ${CREDENTIAL_LIMIT} credentials${compared}`,
    ...credentials.flatMap(formatCredential),
    ...extra.flatMap(({ name, subject }) => [
      `  extra      ${toLine(subject)}`,
      `             ${toLine(name)}: not needed by the input`,
    ]),
  ]
}

/** Describes an identity, such as `managed identity orders, client id 1111…`. */
export function describeIdentity({ kind, id, clientId }: PlannedIdentity): string {
  const title = kind === 'application' ? 'application' : 'managed identity'
  return toLine(`${title}${id === undefined ? '' : ` ${id.name}`}, client id ${clientId}`)
}

const STATES = {
  unknown: 'needed',
  present: 'present',
  missing: 'missing',
  different: 'different',
} as const satisfies Record<PlannedCredential['state'], string>

function formatCredential({
  state,
  subject,
  issuer,
  audience,
  name,
  existing,
  sources,
}: PlannedCredential): string[] {
  const indent = ' '.repeat(13)
  return [
    `  ${STATES[state].padEnd(9)}  ${toLine(subject)}`,
    `${indent}${toLine(name)}, for ${toLine(sources.join(', '))}`,
    ...(existing === undefined || existing.issuer === issuer
      ? []
      : [`${indent}issuer in Azure: ${toLine(existing.issuer)}, in the tokens: ${toLine(issuer)}`]),
    ...(existing === undefined || existing.audiences.join() === audience
      ? []
      : [
          `${indent}audience in Azure: ${toLine(existing.audiences.join(', '))}, in the tokens: ${toLine(audience)}`,
        ]),
  ]
}
