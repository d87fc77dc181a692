/** Checks the issuer and the audience of a cluster's tokens. */
import { formatProblem } from '../../lib/errors.ts'
import { namesFileForAz } from '../managed-identity.ts'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../lib/internal-issuer.ts'

const MAX_LENGTH = 600

/** Returns why Entra ID could not read the issuer's discovery document, with the fix; undefined if it can. */
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
    return formatProblem({ problem: describeInternalIssuer(issuer), fix: PUBLIC_ISSUER_FIX })
  }
  return undefined
}

/** Returns true for a URI or GUID. Anything else could have a special meaning for the Azure CLI. */
export function isAudience(text: string): boolean {
  return /^[A-Za-z0-9][\w:/.-]{0,599}$/.test(text)
}
