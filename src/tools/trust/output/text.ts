/** Formats the plan, and the changes of a migration, for people. */
import { stringify } from 'yaml'
import { toLine } from '../../../lib/printable.ts'
import type { Change } from '../migration/change.ts'
import {
  CREDENTIAL_LIMIT,
  type Plan,
  type PlannedCredential,
  type PlannedIdentity,
} from '../plan.ts'
import { describeIdentity } from './writable.ts'

/** Returns the report, without the findings. `changes` is undefined if no migration was asked for. */
export function formatText(plan: Plan, changes: readonly Change[] | undefined): string {
  return [
    ...(changes === undefined ? [] : formatChanges(changes)),
    `Federated credentials for the issuer ${toLine(plan.issuer)}`,
    ...plan.identities.flatMap((identity) => ['', ...formatIdentity(identity)]),
    '',
    plan.identities.length === 0 ? formatNone(plan) : formatTotal(plan),
    '',
  ].join('\n')
}

function formatNone({ findings }: Plan): string {
  return findings.some(({ severity }) => severity === 'error')
    ? 'Nothing could be determined: see standard error.'
    : 'None is needed by the input.'
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

function formatChanges(changes: readonly Change[]): string[] {
  return [
    'Changes of the manifests',
    ...changes.flatMap(({ object, isNew, remove, add, manifest, notes }) => [
      '',
      isNew ? `${object} (new)` : object,
      ...remove.map((text) => `  - ${toLine(text)}`),
      ...add.map((text) => `  + ${toLine(text)}`),
      ...(manifest === undefined
        ? []
        : stringify(manifest, { lineWidth: 0 })
            .trimEnd()
            .split('\n')
            .map((line) => `  + ${line}`)),
      ...notes.map((text) => `  note: ${toLine(text)}`),
    ]),
    ...(changes.length === 0 ? ['', 'Nothing in the input has to change.'] : []),
    '',
  ]
}
