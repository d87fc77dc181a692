/** Settings that only make sense together: what each group means, and what is missing from one. */
import type { Given, ParsedSettings, SettingName } from './settings.ts'

/** The token proxy of the cluster's identity bindings, through which exchanges go. */
export interface TokenProxySettings {
  /** https, with no query and no fragment. */
  readonly url: string
  /** The name that the proxy's certificate is for; undefined: the URL's host. */
  readonly sniName?: string
  /** Whom to trust in place of Node's roots; undefined: Node's roots. */
  readonly ca?: { readonly file: string } | { readonly pem: string }
}

/** What the environment says of the token proxy; undefined: exchanges go to Entra ID itself. */
export function tokenProxyOf(settings: ParsedSettings): TokenProxySettings | undefined {
  const {
    AZURE_KUBERNETES_TOKEN_PROXY: url,
    AZURE_KUBERNETES_SNI_NAME: sniName,
    AZURE_KUBERNETES_CA_FILE: file,
    AZURE_KUBERNETES_CA_DATA: pem,
  } = settings
  if (url === undefined) return undefined
  return {
    url,
    ...(sniName !== undefined && { sniName }),
    ...(file !== undefined && { ca: { file } }),
    ...(pem !== undefined && { ca: { pem } }),
  }
}

/** A sentence for each group that is not whole. */
export function groupMistakes(given: Given): string[] {
  const has = (name: SettingName) => given[name] !== undefined
  const mistakes: string[] = []
  const needs = (name: SettingName, other: SettingName, why: string) => {
    if (has(name) && !has(other)) mistakes.push(`${other}: is missing; ${name} ${why}`)
  }
  const proxy = 'AZURE_KUBERNETES_TOKEN_PROXY'
  needs('AZURE_KUBERNETES_SNI_NAME', proxy, 'is of no use without it')
  needs('AZURE_KUBERNETES_CA_FILE', proxy, 'is of no use without it')
  needs('AZURE_KUBERNETES_CA_DATA', proxy, 'is of no use without it')
  if (has('AZURE_KUBERNETES_CA_FILE') && has('AZURE_KUBERNETES_CA_DATA')) {
    mistakes.push('AZURE_KUBERNETES_CA_DATA: cannot be set beside AZURE_KUBERNETES_CA_FILE')
  }
  if (!has('WIMDS_CONFIG') && given['WIMDS_UNLISTED_CLIENT_IDS'] === 'deny') {
    needs('WIMDS_UNLISTED_CLIENT_IDS', 'AZURE_CLIENT_ID', 'denies all other client ids')
  }
  return mistakes
}
