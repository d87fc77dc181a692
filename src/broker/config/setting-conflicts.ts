/** The checks of settings against each other, and against the identities. */
import { isIP } from 'node:net'
import type { Problem } from '../../lib/errors.ts'
import { isLocalHost, removeBrackets } from '../../lib/hosts.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { IdentityDirectory } from '../identities.ts'
import type { Environment, ParsedSettings, SettingName } from './settings.ts'

/** Returns a problem for each setting that another one requires or contradicts. */
export function findIncompleteSettings(env: Environment): Problem[] {
  const has = (name: SettingName) => Boolean(env[name])
  const problems: Problem[] = []
  const requireSetting = (setting: SettingName, reason: string) => {
    if (!has(setting)) problems.push({ setting, problem: `is missing; ${reason}` })
  }
  const isUnlistedAllowed = env['WIMDS_UNLISTED_CLIENT_IDS'] === 'allow'
  // An identities file may name a tenant and a token file for each of its identities.
  if (!has('WIMDS_CONFIG') || isUnlistedAllowed) {
    requireSetting('AZURE_TENANT_ID', 'set it to the tenant that holds the identity')
    requireSetting(
      'AZURE_FEDERATED_TOKEN_FILE',
      'set it to the path of the projected service-account token',
    )
  }
  if (!has('WIMDS_CONFIG') && env['WIMDS_UNLISTED_CLIENT_IDS'] === 'deny') {
    requireSetting('AZURE_CLIENT_ID', 'WIMDS_UNLISTED_CLIENT_IDS denies all other client ids')
  }
  for (const name of TOKEN_PROXY_DETAILS) {
    if (has(name))
      requireSetting('AZURE_KUBERNETES_TOKEN_PROXY', `${name} has no effect without it`)
  }
  if (has('AZURE_KUBERNETES_CA_FILE') && has('AZURE_KUBERNETES_CA_DATA')) {
    problems.push({
      setting: 'AZURE_KUBERNETES_CA_DATA',
      problem: 'conflicts with AZURE_KUBERNETES_CA_FILE; set only one',
    })
  }
  return problems
}

const TOKEN_PROXY_DETAILS = [
  'AZURE_KUBERNETES_SNI_NAME',
  'AZURE_KUBERNETES_CA_FILE',
  'AZURE_KUBERNETES_CA_DATA',
] as const

/** Rejects addresses on the network without WIMDS_LISTEN_ON_NETWORK: every caller that reaches the sidecar gets tokens. */
export function findListenProblems(settings: ParsedSettings): Problem[] {
  if (settings.WIMDS_LISTEN_ON_NETWORK) return []
  const remote = settings.WIMDS_LISTEN.filter(({ host }) => !isLocalHost(host))
  return remote.map(({ host }) => ({
    setting: 'WIMDS_LISTEN',
    problem: `${host} is reachable from the network, so other machines could get tokens`,
    fix: 'use 127.0.0.1, or set WIMDS_LISTEN_ON_NETWORK=true',
  }))
}

/** Checks WIMDS_PREFETCH against the default identity, whose allow-list may be in the file. */
export function findPrefetchProblems(
  { defaultIdentity }: IdentityDirectory,
  settings: ParsedSettings,
): Problem[] {
  const setting = 'WIMDS_PREFETCH'
  const { WIMDS_PREFETCH: prefetch, WIMDS_CONFIG: file } = settings
  if (prefetch === undefined) return []
  if (defaultIdentity === undefined) {
    const fix = file === undefined ? 'set AZURE_CLIENT_ID' : 'mark an identity as the default'
    return [{ setting, problem: 'needs a default identity, but there is none', fix }]
  }
  const allowed = defaultIdentity.resources
  if (allowed === undefined) return []
  return prefetch
    .filter((resource) => !allowed.includes(normalizeResource(resource)))
    .map((resource) => ({
      setting,
      problem: `${resource} is not one of the default identity's resources`,
      fix: "add it to the identity's resources, or remove it from WIMDS_PREFETCH",
    }))
}

/** Rejects a region for an authority host that is an IP address, which has no subdomain for it. */
export function findRegionProblems(
  { identities }: IdentityDirectory,
  settings: ParsedSettings,
): Problem[] {
  if (settings.AZURE_REGIONAL_AUTHORITY_NAME === undefined) return []
  const hosts = identities.map(({ authorityHost }) => new URL(authorityHost).hostname)
  return [...new Set(hosts)]
    .filter((host) => isIP(removeBrackets(host)) !== 0)
    .map((host) => ({
      setting: 'AZURE_REGIONAL_AUTHORITY_NAME',
      problem: `cannot be used with the authority host ${host}, an IP address`,
      fix: 'unset it',
    }))
}
