/** Formats the plan as a shell script of `az` commands. */
import { quoteForShell } from '../../../lib/shell.ts'
import { toLine } from '../../../lib/printable.ts'
import type { ExistingCredential } from '../inventory.ts'
import type { Plan, PlannedCredential, PlannedIdentity } from '../plan.ts'
import { createSymbols, describeIdentity, selectWritable } from './names.ts'

/** Azure Resource Manager accepts one write in four seconds for the credentials of one identity. */
const SECONDS_BETWEEN_WRITES = 4

/** Returns the script: it writes credentials that are missing or different, and deletes none. */
export function formatAzScript(plan: Plan): string {
  const symbols = createSymbols(plan.identities)
  const identities = selectWritable(plan.identities)
  const targets = new Map(
    identities.map((identity) => [identity, createTarget(identity, symbols.get(identity) ?? '')]),
  )
  return [
    '#!/usr/bin/env bash',
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The credentials of a managed identity are written one after the other, with a pause: Azure rejects',
    '# concurrent writes to one identity, and more than one in four seconds.',
    'set -euo pipefail',
    ...identities.flatMap((identity) => targets.get(identity)?.variables ?? []),
    ...identities.flatMap((identity) =>
      formatIdentity(identity, targets.get(identity)?.flags ?? []),
    ),
    '',
  ].join('\n')
}

interface Target {
  /** Lines that stop the script if a variable is not set. */
  readonly variables: readonly string[]
  readonly flags: readonly string[]
}

function createTarget(
  { kind, id, clientId, credentials }: PlannedIdentity,
  symbol: string,
): Target {
  if (kind === 'application') return { variables: [], flags: [`--id ${clientId}`] }
  if (id !== undefined) {
    return {
      variables: [],
      flags: [
        `--identity-name ${quoteForShell(id.name)}`,
        `--resource-group ${quoteForShell(id.resourceGroup)}`,
        `--subscription ${quoteForShell(id.subscription)}`,
      ],
    }
  }
  const [name, group] = [`${symbol}_NAME`, `${symbol}_RESOURCE_GROUP`].map((each) =>
    each.toUpperCase(),
  )
  const isUsed = credentials.some(({ state }) => state !== 'present')
  return {
    variables: isUsed
      ? [
          '',
          `# The name and resource group of the managed identity with the client id ${clientId}.`,
          `: "\${${name}:?is not set}" "\${${group}:?is not set}"`,
        ]
      : [],
    flags: [`--identity-name "$${name}"`, `--resource-group "$${group}"`],
  }
}

function formatIdentity(identity: PlannedIdentity, target: readonly string[]): string[] {
  const writes = identity.credentials.filter(({ state }) => state !== 'present')
  const pause = identity.kind === 'application' ? [] : [`sleep ${SECONDS_BETWEEN_WRITES}`]
  return [
    '',
    `# ${describeIdentity(identity)}`,
    ...(writes.length === 0 ? ['# Nothing to write.'] : []),
    ...writes.flatMap((credential, index) => [
      ...(index === 0 ? [] : pause),
      `# For ${toLine(credential.sources.join(', '))}`,
      identity.kind === 'application'
        ? formatApplicationWrite(credential, target)
        : formatManagedWrite(credential, target),
    ]),
    ...identity.extra.map((credential) => formatExtra(credential, identity, target)),
  ]
}

function formatManagedWrite(credential: PlannedCredential, target: readonly string[]): string {
  const { name, issuer, subject, audience, state } = credential
  return joinLines([
    `az identity federated-credential ${state === 'different' ? 'update' : 'create'}`,
    `--name ${quoteForShell(name)}`,
    target.join(' '),
    `--issuer ${quoteForShell(issuer)}`,
    `--subject ${quoteForShell(subject)}`,
    `--audiences ${quoteForShell(audience)} --output none`,
  ])
}

function formatApplicationWrite(credential: PlannedCredential, target: readonly string[]): string {
  const { name, issuer, subject, audience, state } = credential
  const values = { issuer, subject, audiences: [audience] }
  // A name cannot be changed.
  const parameters = JSON.stringify(state === 'different' ? values : { name, ...values })
  return joinLines([
    `az ad app federated-credential ${state === 'different' ? 'update' : 'create'}`,
    [
      ...target,
      ...(state === 'different' ? [`--federated-credential-id ${quoteForShell(name)}`] : []),
    ].join(' '),
    `--parameters ${quoteForShell(parameters)} --output none`,
  ])
}

/** Returns a comment: only the user knows whether the input had every workload of the cluster. */
function formatExtra(
  { name, subject }: ExistingCredential,
  { kind }: PlannedIdentity,
  target: readonly string[],
): string {
  const command =
    kind === 'application'
      ? [
          'az ad app federated-credential delete',
          ...target,
          `--federated-credential-id ${quoteForShell(name)}`,
        ]
      : ['az identity federated-credential delete', ...target, `--name ${quoteForShell(name)}`]
  return [
    `# The input does not need the credential for ${toLine(subject)}. To delete it:`,
    `#   ${toLine(command.join(' '))}`,
  ].join('\n')
}

function joinLines(parts: readonly string[]): string {
  return parts.join(' \\\n  ')
}
