/** Checks the issuer and the audience of a cluster's tokens. */
import { ENABLE_OIDC_ISSUER, namesFileForAz } from '../lib/azure-cli.ts'
import { formatCommand } from '../lib/shell.ts'

/** What to do if Entra ID cannot reach the issuer. */
export const PUBLIC_ISSUER_FIX = `on AKS run ${formatCommand(ENABLE_OIDC_ISSUER)}; on other clusters set --service-account-issuer of the API server to a public https URL that serves the discovery document and the keys`

const MAX_LENGTH = 600

/** Returns why Entra ID could not read the issuer's discovery document, with the fix; undefined if it may. */
export function findIssuerProblem(issuer: string): string | undefined {
  const text = JSON.stringify(issuer)
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '' || /\s/.test(issuer)) {
    return `the issuer must be an https:// URL without a query, not ${text}`
  }
  if (url.username !== '' || url.password !== '') return 'the issuer must have no user and password'
  if (namesFileForAz(issuer)) {
    return `the issuer must have no =@, not ${text}: the Azure CLI would replace it by the content of a file`
  }
  if (issuer.length > MAX_LENGTH) return `the issuer has more than ${MAX_LENGTH} characters`
  if (isInternalIssuer(issuer)) {
    return `Entra ID cannot reach the issuer ${text}, which is internal to the cluster. Fix: ${PUBLIC_ISSUER_FIX}`
  }
  return undefined
}

/** Returns true for an issuer that no host outside the cluster can resolve. */
export function isInternalIssuer(issuer: string): boolean {
  if (!URL.canParse(issuer)) return true
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'https:') return true
  return /^kubernetes(?:\.default|$)|\.(?:svc|cluster|cluster\.local|local|internal)$|\.azmk8s\.io$/.test(
    hostname,
  )
}

/** Returns true for a URI or GUID. Anything else could have a meaning of its own for the Azure CLI. */
export function isAudience(text: string): boolean {
  return /^[A-Za-z0-9][\w:/.-]{0,599}$/.test(text)
}
