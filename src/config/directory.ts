/** Settings and identities file → the identities that requests can mean. */
import type { Identity, IdentityDirectory } from '../identities.ts'
import { comparableResource } from '../resource.ts'
import type { IdentityEntry } from './identities-schema.ts'
import type { ParsedSettings } from './settings.ts'

/** Without an identities file the environment describes the one default identity. */
export function directoryOfEnvironment(settings: ParsedSettings): IdentityDirectory {
  const { AZURE_CLIENT_ID: clientId, WIMDS_UNLISTED_CLIENT_IDS: unlisted = 'allow' } = settings
  const open = unlisted === 'allow' ? { unlisted: unlistedOf(settings) } : {}
  if (clientId === undefined) return { identities: [], ...open }
  const identity: Identity = {
    ...baseOf(settings),
    name: 'default',
    clientId,
    prefetch: settings.WIMDS_PREFETCH ?? [],
  }
  return { identities: [identity], defaultIdentity: identity, ...open }
}

/** With a file it alone says which identities there are and which is the default. */
export function directoryOfFile(
  entries: readonly IdentityEntry[],
  settings: ParsedSettings,
): IdentityDirectory {
  // A single one needs no mark.
  const isDefault = (entry: IdentityEntry) => entry.default === true || entries.length === 1
  const identities = entries.map((entry) => identityOf(entry, isDefault(entry), settings))
  const defaultIdentity = identities[entries.findIndex(isDefault)]
  return {
    identities,
    ...(defaultIdentity !== undefined && { defaultIdentity }),
    ...(settings.WIMDS_UNLISTED_CLIENT_IDS === 'allow' && { unlisted: unlistedOf(settings) }),
  }
}

/** Every projected token file that these identities are exchanged with, each once. */
export function tokenFilesOf(directory: IdentityDirectory, ownFile: string | undefined): string[] {
  const files = directory.identities.map(({ tokenFile }) => tokenFile)
  const isOwnUsed = directory.unlisted !== undefined || files.length === 0
  return [...new Set([...files, ...(isOwnUsed && ownFile !== undefined ? [ownFile] : [])])]
}

function identityOf(entry: IdentityEntry, isDefault: boolean, settings: ParsedSettings): Identity {
  const { objectId, resourceId, resources, prefetch = [] } = entry
  const base = baseOf(settings)
  return {
    name: entry.name ?? entry.clientId,
    clientId: entry.clientId,
    tenantId: entry.tenantId ?? base.tenantId,
    authorityHost: entry.authorityHost ?? base.authorityHost,
    tokenFile: entry.tokenFile ?? base.tokenFile,
    prefetch: [...new Set([...prefetch, ...(isDefault ? (settings.WIMDS_PREFETCH ?? []) : [])])],
    ...(objectId !== undefined && { objectId }),
    ...(resourceId !== undefined && { resourceId }),
    ...(resources !== undefined && { resources: resources.map(comparableResource) }),
  }
}

function unlistedOf(settings: ParsedSettings): (clientId: string) => Identity {
  const base = baseOf(settings)
  return (clientId) => ({ ...base, name: clientId, clientId, prefetch: [] })
}

/** The checks before have made sure that whatever uses an empty one of these has its own. */
function baseOf(settings: ParsedSettings) {
  return {
    tenantId: settings.AZURE_TENANT_ID ?? '',
    authorityHost: settings.AZURE_AUTHORITY_HOST,
    tokenFile: settings.AZURE_FEDERATED_TOKEN_FILE ?? '',
  }
}
