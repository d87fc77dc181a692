/** Creates the identities that requests can select, from the settings and the identities file. */
import type { Identity, IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { IdentityEntry } from './identities-file.ts'
import type { ParsedSettings } from './settings.ts'

/**
 * Creates the directory. If there is an identities file, only it (`listed`) names the identities and the default. Without one,
 * the environment describes one identity, and other client ids are allowed by default.
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
export function listTokenFiles({ identities, unlisted }: IdentityDirectory, own = ''): string[] {
  const files = identities.map(({ tokenFile }) => tokenFile)
  // `loadConfig` has checked that `own` is set if client ids may be unlisted.
  return [...new Set(unlisted === undefined ? files : [...files, own])]
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
 * Selects the values for identities without their own. An empty value is never used, as `loadConfig` has checked. If there is a
 * token proxy and no identities file, the AKS webhook has added the token proxy together with the only projected token, so
 * every exchange goes through the proxy.
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
