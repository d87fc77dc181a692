/** Creates the identities that requests can select, from the settings and the identities file. */
import type { Identity, IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { IdentityEntry } from './identities-file.ts'
import type { ParsedSettings } from './settings.ts'

/**
 * Creates the directory. Only the identities file lists the identities and the default; without one (`listed` is
 * undefined) the environment describes one identity, and other client ids are allowed by default.
 */
export function createDirectory(
  listed: readonly IdentityEntry[] | undefined,
  settings: ParsedSettings,
): IdentityDirectory {
  const { AZURE_CLIENT_ID: clientId, WIMDS_PREFETCH: prefetch = [] } = settings
  const fallback = listed === undefined ? 'allow' : 'deny'
  const { WIMDS_UNLISTED_CLIENT_IDS: unlisted = fallback } = settings
  const defaults = selectDefaults(settings, listed !== undefined)
  const entries = listed ?? (clientId === undefined ? [] : [{ name: 'default', clientId }])
  // A single identity is the default without being marked.
  const isDefault = (entry: IdentityEntry) => entry.default === true || entries.length === 1
  const identities = entries.map((entry) =>
    createIdentity(entry, isDefault(entry) ? prefetch : [], defaults),
  )
  return {
    identities,
    defaultIdentity: identities[entries.findIndex(isDefault)],
    unlisted:
      unlisted === 'allow'
        ? (id) => ({ ...defaults, name: id, clientId: id, prefetch: [] })
        : undefined,
  }
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
  prefetch: readonly string[],
  defaults: ReturnType<typeof selectDefaults>,
): Identity {
  const { default: _, ...own } = entry
  return {
    ...defaults,
    name: entry.clientId,
    ...own,
    resources: entry.resources?.map(normalizeResource),
    prefetch: [...new Set([...(entry.prefetch ?? []), ...prefetch])],
  }
}

/**
 * Selects the values for identities without their own. An empty one is never used, as `loadConfig` has checked. Without an
 * identities file there is one projected token, which the AKS webhook added together with the token proxy: then every
 * exchange goes through it.
 */
function selectDefaults(settings: ParsedSettings, hasFile: boolean) {
  const isProxied = !hasFile && settings.AZURE_KUBERNETES_TOKEN_PROXY !== undefined
  return {
    tenantId: settings.AZURE_TENANT_ID ?? '',
    authorityHost: settings.AZURE_AUTHORITY_HOST,
    tokenFile: settings.AZURE_FEDERATED_TOKEN_FILE ?? '',
    exchangeVia: isProxied ? ('token-proxy' as const) : undefined,
  }
}
