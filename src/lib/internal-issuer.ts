/** Recognizes issuers that Entra ID cannot reach, and has the fix. */

/** The command that gives an AKS cluster a public issuer. */
export const ENABLE_OIDC_ISSUER =
  'az aks update --resource-group RESOURCE_GROUP --name CLUSTER --enable-oidc-issuer'

/** The fix if Entra ID cannot reach the issuer. */
export const PUBLIC_ISSUER_FIX = `on AKS run ${ENABLE_OIDC_ISSUER}; on other clusters set --service-account-issuer of the API server to a public https URL that serves the discovery document and the keys`

/** Returns true for an issuer that no host outside the cluster can resolve, and for one that is no https:// URL. */
export function isInternalIssuer(issuer: string): boolean {
  if (!URL.canParse(issuer)) return true
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'https:') return true
  return /^kubernetes(?:\.default|$)|\.(?:svc|cluster|local|internal)$|\.azmk8s\.io$/.test(hostname)
}

/** Returns the problem of an internal issuer, without a full stop. */
export function describeInternalIssuer(issuer: string): string {
  const reason = issuer.startsWith('https://') ? 'is internal to the cluster' : 'is no https:// URL'
  return `Entra ID cannot reach the issuer ${issuer}, which ${reason}`
}
