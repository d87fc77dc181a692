/** Formats the plan as a shell script of `az` commands. */
import { formatIdentityFlags, formatWrite } from '../../managed-identity.ts'
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
  // The script leaves out an identity that would exceed Azure's limit.
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
      formatCommand(credential, identity),
    ]),
    ...identity.extra.flatMap((credential) => formatExtra(credential, identity)),
  ]
}

function formatCommand(credential: PlannedCredential, identity: PlannedIdentity): string {
  const verb = credential.state === 'different' ? 'update' : 'create'
  const target = { kind: identity.kind, flags: formatTarget(identity) }
  return `${formatWrite(verb, target, credential).join(' \\\n  ')} --output none`
}

/** Returns true for a managed identity whose name is not known. */
function needsLookup({ kind, id }: PlannedIdentity): boolean {
  return kind === 'managed-identity' && id === undefined
}

/** Returns the flags that name the identity. */
function formatTarget({ kind, id, clientId }: PlannedIdentity): string {
  if (kind === 'application') return `--id ${clientId}`
  return id === undefined
    ? '--identity-name "$name" --resource-group "$group"'
    : formatIdentityFlags(id)
}

/** Returns a comment: only the user knows whether the input had every workload of the cluster. */
function formatExtra(credential: ExistingCredential, identity: PlannedIdentity): string[] {
  const { name, subject } = credential
  const target = formatTarget(identity)
  const lookup = needsLookup(identity) ? `find_identity ${identity.clientId} && ` : ''
  const command =
    identity.kind === 'application'
      ? `az ad app federated-credential delete ${target} --federated-credential-id ${quoteForShell(name)}`
      : `${lookup}az identity federated-credential delete ${target} --name ${quoteForShell(name)}`
  return [
    `# The input does not need the credential for ${toLine(subject)}. To delete it:`,
    `#   ${toLine(command)}`,
  ]
}
