/** Formats the plan as a shell script of `az` commands. */
import { quoteForShell } from '../../shell.ts'
import { toLine } from '../../../lib/printable.ts'
import type { ExistingCredential } from '../inventory.ts'
import type { Plan, PlannedCredential, PlannedIdentity } from '../plan.ts'
import { describeIdentity } from './text.ts'

/** Azure Resource Manager accepts one write in four seconds for the credentials of one identity. */
const SECONDS_BETWEEN_WRITES = 4

/** A function that finds a managed identity whose name is not known, in the script. `read` fails if there is none. */
const FIND_IDENTITY = [
  '',
  '# Sets $name and $group of the managed identity with the client id $1.',
  'find_identity() {',
  `  local query="[?clientId=='$1'].[name, resourceGroup]"`,
  '  IFS=$\'\\t\' read -r name group < <(az identity list --query "$query" --output tsv) && return',
  '  echo "no managed identity of this subscription has the client id $1: run az account set --subscription ID" >&2',
  '  exit 1',
  '}',
]

/** Returns the script: it writes credentials that are missing or different, and deletes none. */
export function formatAzScript(plan: Plan): string {
  // One that would be over Azure's limit is left out.
  const identities = plan.identities.filter(({ isOverLimit }) => !isOverLimit)
  return [
    '#!/usr/bin/env bash',
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The credentials of a managed identity are written one after the other, with a pause: Azure rejects',
    '# concurrent writes to one identity, and more than one in four seconds.',
    'set -euo pipefail',
    ...(identities.some(needsLookup) ? FIND_IDENTITY : []),
    ...identities.flatMap(formatIdentity),
    '',
  ].join('\n')
}

function findWrites({ credentials }: PlannedIdentity): PlannedCredential[] {
  return credentials.filter(({ state }) => state !== 'present')
}

function formatIdentity(identity: PlannedIdentity): string[] {
  const writes = findWrites(identity)
  const lookup = needsLookup(identity) ? [`find_identity ${identity.clientId}`] : []
  const pause = identity.kind === 'application' ? [] : [`sleep ${SECONDS_BETWEEN_WRITES}`]
  return [
    '',
    `# ${describeIdentity(identity)}`,
    ...(writes.length === 0 ? ['# Nothing to write.'] : lookup),
    ...writes.flatMap((credential, index) => [
      ...(index === 0 ? [] : pause),
      `# For ${toLine(credential.sources.join(', '))}`,
      formatWrite(credential, identity).join(' \\\n  '),
    ]),
    ...identity.extra.flatMap((credential) => formatExtra(credential, identity)),
  ]
}

/** Returns the lines of the command. */
function formatWrite(credential: PlannedCredential, identity: PlannedIdentity): string[] {
  const { name, issuer, subject, audience, state } = credential
  const [verb, id] = state === 'different' ? ['update', formatId(name)] : ['create', '']
  const target = formatTarget(identity)
  if (identity.kind === 'application') {
    // A name cannot be changed.
    const named = state === 'different' ? {} : { name }
    const parameters = JSON.stringify({ ...named, issuer, subject, audiences: [audience] })
    return [
      `az ad app federated-credential ${verb}`,
      target + id,
      `--parameters ${quoteForShell(parameters)} --output none`,
    ]
  }
  return [
    `az identity federated-credential ${verb}`,
    `--name ${quoteForShell(name)}`,
    target,
    `--issuer ${quoteForShell(issuer)}`,
    `--subject ${quoteForShell(subject)}`,
    `--audiences ${quoteForShell(audience)} --output none`,
  ]
}

/** Returns true for a managed identity whose name is not known. */
function needsLookup({ kind, id }: PlannedIdentity): boolean {
  return kind === 'managed-identity' && id === undefined
}

/** Returns the flags that name the identity. */
function formatTarget({ kind, id, clientId }: PlannedIdentity): string {
  if (kind === 'application') return `--id ${clientId}`
  if (id === undefined) return '--identity-name "$name" --resource-group "$group"'
  const [name, group, subscription] = [id.name, id.resourceGroup, id.subscription].map(
    quoteForShell,
  )
  return `--identity-name ${name} --resource-group ${group} --subscription ${subscription}`
}

/** Returns the flag that names a credential of an application. */
function formatId(name: string): string {
  return ` --federated-credential-id ${quoteForShell(name)}`
}

/** Returns a comment: only the user knows whether the input had every workload of the cluster. */
function formatExtra(credential: ExistingCredential, identity: PlannedIdentity): string[] {
  const { name, subject } = credential
  const target = formatTarget(identity)
  const lookup = needsLookup(identity) ? `find_identity ${identity.clientId} && ` : ''
  const command =
    identity.kind === 'application'
      ? `az ad app federated-credential delete ${target}${formatId(name)}`
      : `${lookup}az identity federated-credential delete ${target} --name ${quoteForShell(name)}`
  return [
    `# The input does not need the credential for ${toLine(subject)}. To delete it:`,
    `#   ${toLine(command)}`,
  ]
}
