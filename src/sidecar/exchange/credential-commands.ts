/** Creates the commands for the federated credential that an exchange needs. */
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import type { AssertionClaims } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import { namesFileForAz, type ShellCommand } from '../../lib/shell.ts'
import { createCredentialName, parseManagedIdentityId } from '../../lib/managed-identity.ts'

type IdentityIds = Pick<Identity, 'clientId' | 'resourceId'>

/** Returns the flags that select a managed identity, with placeholders if its resource id is not configured. */
export function createIdentityFlags(resourceId: string | undefined): ShellCommand['flags'] {
  const id = parseManagedIdentityId(resourceId ?? '')
  return [
    ['identity-name', id?.name ?? 'IDENTITY_NAME'],
    ['resource-group', id?.resourceGroup ?? 'RESOURCE_GROUP'],
    ...(id === undefined ? [] : [['subscription', id.subscription] as const]),
  ]
}

/**
 * Returns false if the Azure CLI would replace a claim by the content of a file, and so upload that. The claims come
 * from a file that is not trusted.
 */
export function canCreateCredential({ issuer, subject, audience }: AssertionClaims): boolean {
  return ![issuer, subject, ...audience].some(namesFileForAz)
}

/** Returns the command that creates the federated credential of a managed identity. */
export function createManagedIdentityCommand(
  { resourceId }: Pick<IdentityIds, 'resourceId'>,
  { issuer, subject, audience: [audience = DEFAULT_AUDIENCE] }: AssertionClaims,
): ShellCommand {
  return {
    words: 'az identity federated-credential create',
    flags: [
      ['name', createCredentialName(issuer, subject)],
      ...createIdentityFlags(resourceId),
      ['issuer', issuer],
      ['subject', subject],
      ['audiences', audience],
    ],
  }
}

/** Returns the command that creates the federated credential of an application registration. */
export function createApplicationCommand(
  { clientId }: Pick<IdentityIds, 'clientId'>,
  { issuer, subject, audience: [audience = DEFAULT_AUDIENCE] }: AssertionClaims,
): ShellCommand {
  const name = createCredentialName(issuer, subject)
  const parameters = JSON.stringify({ name, issuer, subject, audiences: [audience] })
  return {
    words: 'az ad app federated-credential create',
    flags: [
      ['id', clientId],
      ['parameters', parameters],
    ],
  }
}
