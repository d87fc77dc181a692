/** Creates the commands for the federated credential that an exchange needs. */
import { isFederationAudience } from '../../lib/clouds.ts'
import type { Identity } from '../../broker/identities.ts'
import {
  createCredentialName,
  formatIdentityFlags,
  formatWrite,
  namesFileForAz,
  parseManagedIdentityId,
} from '../managed-identity.ts'
import { quoteForShell } from '../shell.ts'
import type { Finding } from './doctor-report.ts'
import type { TokenStatus } from './status.ts'

type Commands = NonNullable<Finding['commands']>

/**
 * Returns the commands for the error code of a rejected assertion; none for a code that no credential can fix. After a
 * mismatch they list the credentials to compare: Entra ID allows only one with an issuer and subject. No command has a
 * placeholder for a claim: the name of the credential would be the same in every cluster.
 */
export function createCredentialCommands(
  code: string,
  { name, clientId }: Pick<Identity, 'name' | 'clientId'>,
  { identities, assertions }: Pick<TokenStatus, 'identities' | 'assertions'>,
): Commands {
  const { resourceId, tokenFile } = identities.find((each) => each.clientId === clientId) ?? {}
  // An unlisted client id uses the projected token of the pod. If the pod has several, it is not known which one.
  const file = tokenFile ?? (assertions.length === 1 ? assertions[0]?.file : undefined)
  const claims = assertions.find((assertion) => assertion.file === file)?.claims
  const flags = {
    'managed-identity': formatFlags(resourceId),
    application: `--id ${quoteForShell(clientId)}`,
  }
  const propose = (action: string, write: (kind: keyof typeof flags) => string): Commands => [
    {
      purpose: `${action} of ${name}, a managed identity, whose name and resource group az identity list shows`,
      command: write('managed-identity'),
    },
    { purpose: 'or of an application registration', command: write('application') },
  ]
  if (code === 'federated_credential_mismatch') {
    return propose('List the federated credentials', (kind) => {
      const object = kind === 'application' ? 'ad app' : 'identity'
      return `az ${object} federated-credential list ${flags[kind]} --output table`
    })
  }
  if (code !== 'federated_credential_not_found' || claims === undefined) return []
  const { issuer, subject, audience: audiences } = claims
  const [audience = '', ...others] = audiences
  // Another audience is probably the mistake.
  if (others.length > 0 || !isFederationAudience(audience)) return []
  // The claims are not trusted: the Azure CLI would upload the content of a file that a claim names.
  if ([issuer, subject].some(namesFileForAz)) return []
  const credential = { name: createCredentialName(issuer, subject), issuer, subject, audience }
  return propose('Create the federated credential', (kind) =>
    formatWrite('create', { kind, flags: flags[kind] }, credential).join(' '),
  )
}

/** Returns the flags that name a managed identity, with placeholders if its resource id is not configured. */
function formatFlags(resourceId = ''): string {
  const id = parseManagedIdentityId(resourceId)
  return id === undefined
    ? '--identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP'
    : formatIdentityFlags(id)
}
