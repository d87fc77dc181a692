/** Settings that only make sense together: what each group means, and what is missing from one. */
import type { Given, ParsedSettings, SettingName } from './settings.ts'
import type { Address } from './values.ts'

/** The token proxy of the cluster's identity bindings, through which exchanges go. */
export interface TokenProxySettings {
  /** https, with no query and no fragment. */
  readonly url: string
  /** The name that the proxy's certificate is for; undefined: the URL's host. */
  readonly sniName?: string
  /** Whom to trust in place of Node's roots; undefined: Node's roots. */
  readonly ca?: { readonly file: string } | { readonly pem: string }
}

/** The TLS listener that speaks Service Fabric. */
export interface ServiceFabricSettings {
  /** Empty: none. */
  readonly listen: readonly Address[]
  /** Undefined: one is made at the start. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string }
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

/** What the environment says of the Service Fabric listener. */
export function serviceFabricOf(settings: ParsedSettings): ServiceFabricSettings {
  const {
    WIMDS_SERVICE_FABRIC_LISTEN: listen,
    WIMDS_SERVICE_FABRIC_CERT_FILE: certFile,
    WIMDS_SERVICE_FABRIC_KEY_FILE: keyFile,
  } = settings
  if (certFile === undefined || keyFile === undefined) return { listen }
  return { listen, certificate: { certFile, keyFile } }
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
  const [cert, key] = ['WIMDS_SERVICE_FABRIC_CERT_FILE', 'WIMDS_SERVICE_FABRIC_KEY_FILE'] as const
  needs(cert, key, 'needs its private key')
  needs(key, cert, 'needs its certificate')
  const listen = given['WIMDS_SERVICE_FABRIC_LISTEN']
  if (listen !== undefined && listen !== 'off') {
    needs('WIMDS_SERVICE_FABRIC_LISTEN', 'WIMDS_IDENTITY_HEADER', 'is guarded by that secret')
  }
  if (!has('WIMDS_CONFIG') && given['WIMDS_UNLISTED_CLIENT_IDS'] === 'deny') {
    needs('WIMDS_UNLISTED_CLIENT_IDS', 'AZURE_CLIENT_ID', 'denies all other client ids')
  }
  return mistakes
}
