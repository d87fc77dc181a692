/** Creates the identities that requests can select, from the settings and the identities file. */
import type { Identity, IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { IdentityEntry } from './identities-file.ts'
import type { ParsedSettings } from './settings.ts'

/** Creates the directory of the one default identity that the environment describes. */
export function createEnvironmentDirectory(settings: ParsedSettings): IdentityDirectory {
  const { AZURE_CLIENT_ID: clientId, WIMDS_UNLISTED_CLIENT_IDS: unlisted = 'allow' } = settings
  const defaults = { ...selectDefaults(settings), ...selectExchangeVia(settings) }
  const unlistedOption = unlisted === 'allow' ? { unlisted: createUnlisted(defaults) } : {}
  if (clientId === undefined) return { identities: [], ...unlistedOption }
  const identity: Identity = {
    ...defaults,
    name: 'default',
    clientId,
    prefetch: settings.WIMDS_PREFETCH ?? [],
  }
  return { identities: [identity], defaultIdentity: identity, ...unlistedOption }
}

/** Creates the directory of an identities file, which alone lists the identities and the default. */
export function createFileDirectory(
  entries: readonly IdentityEntry[],
  settings: ParsedSettings,
): IdentityDirectory {
  // A single identity is the default without being marked.
  const isDefault = (entry: IdentityEntry) => entry.default === true || entries.length === 1
  const identities = chainIdentities(
    entries.map((entry) => createIdentity(entry, isDefault(entry), settings)),
    entries,
  )
  const defaultIdentity = identities[entries.findIndex(isDefault)]
  return {
    identities,
    ...(defaultIdentity !== undefined && { defaultIdentity }),
    ...(settings.WIMDS_UNLISTED_CLIENT_IDS === 'allow' && {
      unlisted: createUnlisted(selectDefaults(settings)),
    }),
  }
}

/**
 * Replaces the names in `assertionFrom` by the identities, whose token files the chained ones share, and lists the
 * chained ones in `assertionOf` of these.
 */
function chainIdentities(
  identities: readonly Identity[],
  entries: readonly IdentityEntry[],
): Identity[] {
  const byName = new Map(identities.map((identity) => [identity.name, identity]))
  return identities.map((identity, index) => {
    const source = byName.get(entries[index]?.assertionFrom ?? '')
    if (source === undefined) {
      const assertionOf = identities.filter((_, at) => entries[at]?.assertionFrom === identity.name)
      return assertionOf.length === 0 ? identity : { ...identity, assertionOf }
    }
    return { ...identity, tokenFile: source.tokenFile, assertionFrom: source }
  })
}

/** Lists every projected token file that exchanges may read, each once. */
export function listTokenFiles(
  directory: IdentityDirectory,
  ownFile: string | undefined,
): string[] {
  const files = directory.identities.map(({ tokenFile }) => tokenFile)
  const isOwnUsed = directory.unlisted !== undefined || files.length === 0
  return [...new Set([...files, ...(isOwnUsed && ownFile !== undefined ? [ownFile] : [])])]
}

function createIdentity(
  entry: IdentityEntry,
  isDefault: boolean,
  settings: ParsedSettings,
): Identity {
  const { objectId, resourceId, resources, allowedUids, exchangeVia, prefetch = [] } = entry
  const defaults = selectDefaults(settings)
  return {
    name: entry.name ?? entry.clientId,
    clientId: entry.clientId,
    tenantId: entry.tenantId ?? defaults.tenantId,
    authorityHost: entry.authorityHost ?? defaults.authorityHost,
    tokenFile: entry.tokenFile ?? defaults.tokenFile,
    prefetch: [...new Set([...prefetch, ...(isDefault ? (settings.WIMDS_PREFETCH ?? []) : [])])],
    ...(exchangeVia !== undefined && { exchangeVia }),
    ...(objectId !== undefined && { objectId }),
    ...(resourceId !== undefined && { resourceId }),
    ...(resources !== undefined && { resources: resources.map(normalizeResource) }),
    ...(allowedUids !== undefined && { allowedUids }),
  }
}

/** Creates the function of `unlisted`. */
function createUnlisted(
  defaults: ReturnType<typeof selectDefaults>,
): (clientId: string) => Identity {
  return (clientId) => ({ ...defaults, name: clientId, clientId, prefetch: [] })
}

/** Selects the values for identities without their own. An empty one is never used, as `loadConfig` has checked. */
function selectDefaults(settings: ParsedSettings) {
  return {
    tenantId: settings.AZURE_TENANT_ID ?? '',
    authorityHost: settings.AZURE_AUTHORITY_HOST,
    tokenFile: settings.AZURE_FEDERATED_TOKEN_FILE ?? '',
  }
}

/**
 * Selects the token proxy, if there is one, for every exchange: without an identities file there is one projected
 * token, which the AKS webhook added together with the token proxy.
 */
function selectExchangeVia(settings: ParsedSettings): Pick<Identity, 'exchangeVia'> {
  return settings.AZURE_KUBERNETES_TOKEN_PROXY === undefined ? {} : { exchangeVia: 'token-proxy' }
}
