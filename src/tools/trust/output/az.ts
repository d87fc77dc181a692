/** Formats the plan as a shell script of `az` commands. */
import { formatIdentityFlags, formatWrite } from '../../managed-identity.ts'
import { quoteForShell } from '../../shell.ts'
import { toLine } from '../../../lib/printable.ts'
import type { ExistingCredential } from '../inventory.ts'
import {
  CREDENTIAL_LIMIT,
  type Plan,
  type PlannedCredential,
  type PlannedIdentity,
} from '../plan.ts'
import { describeIdentity } from './text.ts'

/** Azure Resource Manager accepts one write in four seconds for the credentials of one identity. */
const SECONDS_BETWEEN_WRITES = 4

/** Returns the script: it writes credentials that are missing or different, and deletes none. */
export function formatAzScript(plan: Plan): string {
  const identities = plan.identities.filter(
    ({ kind, id }) => kind === 'application' || id !== undefined,
  )
  return [
    '#!/usr/bin/env bash',
    `# Federated credentials for the issuer ${toLine(plan.issuer)}.`,
    '# The credentials of a managed identity are written one after the other, with a pause: Azure rejects',
    '# concurrent writes to one identity, and more than one in four seconds.',
    'set -euo pipefail',
    ...identities.flatMap(formatIdentity),
    '',
  ].join('\n')
}

function formatIdentity(identity: PlannedIdentity): string[] {
  const { isOverLimit, count } = identity
  const writes = identity.credentials.filter(({ state }) => !isOverLimit && state !== 'present')
  const reason = isOverLimit ? `: it would have ${count} of ${CREDENTIAL_LIMIT} credentials` : ''
  const pause = identity.kind === 'application' ? [] : [`sleep ${SECONDS_BETWEEN_WRITES}`]
  return [
    '',
    `# ${describeIdentity(identity)}`,
    ...(writes.length === 0 ? [`# Nothing to write${reason}.`] : []),
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

/** Returns the flags that name the identity. */
function formatTarget({ kind, id, clientId }: PlannedIdentity): string {
  return kind === 'application' || id === undefined ? `--id ${clientId}` : formatIdentityFlags(id)
}

/** Returns a comment: only the user knows whether the input had every workload of the cluster. */
function formatExtra({ name, subject }: ExistingCredential, identity: PlannedIdentity): string[] {
  const target = formatTarget(identity)
  const command =
    identity.kind === 'application'
      ? `az ad app federated-credential delete ${target} --federated-credential-id ${quoteForShell(name)}`
      : `az identity federated-credential delete ${target} --name ${quoteForShell(name)}`
  return [
    `# The input does not need the credential for ${toLine(subject)}. To delete it:`,
    `#   ${toLine(command)}`,
  ]
}
