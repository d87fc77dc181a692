/** Creates the commands for the federated credential that an exchange needs. */
import { DEFAULT_AUDIENCE, isFederationAudience } from '../../lib/clouds.ts'
import type { AssertionClaims } from '../../lib/errors.ts'
import type { Identity } from '../../broker/identities.ts'
import type { StatusDocument } from '../../broker/telemetry/status-schema.ts'
import {
  createCredentialName,
  formatIdentityFlags,
  formatWrite,
  parseManagedIdentityId,
} from '../managed-identity.ts'
import { isPlainWord, namesFileForAz, quoteForShell } from '../shell.ts'
import type { Finding } from './doctor-report.ts'

export type Commands = NonNullable<Finding['commands']>

interface Rejected {
  readonly code: string
  readonly identity: Pick<Identity, 'name' | 'clientId' | 'resourceId'>
  /** The claims of the assertion; undefined if they are not known. */
  readonly claims: AssertionClaims | undefined
  /** True if WIMDS_AUDIENCE names an audience: then another audience than the usual one is no mistake. */
  readonly hasOwnAudience: boolean
}

/**
 * Returns the commands for a rejected assertion; none for a code that no credential can fix, or if the audience is
 * probably the mistake. After a mismatch they list the credentials to compare: Entra ID allows only one with an issuer
 * and subject. None has a placeholder for a claim: the name of the credential would be the same in every cluster.
 */
export function createCredentialCommands(rejected: Rejected): Commands {
  const { code, identity, claims, hasOwnAudience } = rejected
  if (claims !== undefined && hasUnexpectedAudience(claims) && !hasOwnAudience) return []
  if (code === 'federated_credential_mismatch') {
    return [...findIdentityName(identity), ...listCredentials(identity)]
  }
  if (code !== 'federated_credential_not_found' || claims === undefined) return []
  return canCreateCredential(claims)
    ? [...findIdentityName(identity), ...createCredential(identity, claims)]
    : []
}

/** The audience of the token that the AKS webhook projects for identity bindings. */
const BINDING_AUDIENCE = 'api://AKSIdentityBinding'

/** Returns true for an audience that is neither of direct federation nor of identity bindings. */
export function hasUnexpectedAudience({ audience }: Pick<AssertionClaims, 'audience'>): boolean {
  return (
    audience.length !== 1 ||
    !audience.every((name) => isFederationAudience(name) || name === BINDING_AUDIENCE)
  )
}

/** The parts of a status document that the commands need. */
type CredentialFacts = Pick<StatusDocument, 'identities' | 'assertions' | 'settings'>

/** Returns the commands for what a status document reports as failed. */
export function createReportedCommands(
  {
    code,
    name,
    clientId,
  }: { readonly code: string; readonly name: string; readonly clientId: string },
  { identities, assertions, settings }: CredentialFacts,
): Commands {
  const identity = identities.find((each) => each.clientId === clientId)
  // An unlisted client id has the projected token of the pod; with several it is not known which one.
  const only = assertions.length === 1 ? assertions[0]?.file : undefined
  // A chained identity has none.
  const file = identity === undefined ? only : identity.tokenFile
  return createCredentialCommands({
    code,
    identity: { name, clientId, resourceId: identity?.resourceId },
    claims: assertions.find((assertion) => assertion.file === file)?.claims,
    hasOwnAudience: settings.some(
      ({ name: setting, source }) => setting === 'WIMDS_AUDIENCE' && source === 'environment',
    ),
  })
}

/** Returns the command that finds a managed identity by its client id; none if its resource id is configured. */
function findIdentityName({ name, clientId, resourceId }: Rejected['identity']): Commands {
  if (resourceId !== undefined || !isPlainWord(clientId)) return []
  const query = `[?clientId=='${clientId}'].{name:name, resourceGroup:resourceGroup}`
  return [
    {
      purpose: `Find the name and the resource group of ${name}, if it is a managed identity`,
      command: `az identity list --output table --query "${query}"`,
    },
  ]
}

function listCredentials({ name, clientId, resourceId }: Rejected['identity']): Commands {
  return [
    {
      purpose: `List the federated credentials of ${name}, a managed identity`,
      command: `az identity federated-credential list ${formatFlags(resourceId)} --output table`,
    },
    {
      purpose: 'or of an application registration',
      command: `az ad app federated-credential list --id ${quoteForShell(clientId)} --output table`,
    },
  ]
}

/**
 * Returns false if the Azure CLI would replace a claim by the content of a file, and so upload that. The claims come
 * from a file that is not trusted.
 */
function canCreateCredential({ issuer, subject, audience }: AssertionClaims): boolean {
  return ![issuer, subject, ...audience].some(namesFileForAz)
}

function createCredential(
  { name, clientId, resourceId }: Rejected['identity'],
  { issuer, subject, audience: [audience = DEFAULT_AUDIENCE] }: AssertionClaims,
): Commands {
  const credential = { name: createCredentialName(issuer, subject), issuer, subject, audience }
  const create = (kind: 'managed-identity' | 'application', flags: string) =>
    formatWrite('create', { kind, flags }, credential).join(' ')
  return [
    {
      purpose: `Create the federated credential of ${name}, a managed identity`,
      command: create('managed-identity', formatFlags(resourceId)),
    },
    {
      purpose: 'or of an application registration',
      command: create('application', `--id ${quoteForShell(clientId)}`),
    },
  ]
}

/** Returns the flags that name a managed identity, with placeholders if its resource id is not configured. */
function formatFlags(resourceId = ''): string {
  const id = parseManagedIdentityId(resourceId)
  return id === undefined
    ? '--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP'
    : formatIdentityFlags(id)
}
