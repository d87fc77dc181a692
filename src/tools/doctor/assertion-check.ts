/** Checks a projected token before it is sent anywhere. */
import {
  type Assertion,
  createExpiredError,
  readAssertion,
  requireAudience,
  truncateClaims,
  usesTokenProxy,
} from '../../broker/exchange/assertion.ts'
import { ALGORITHM_FIX } from '../../broker/aadsts.ts'
import type { Config } from '../../broker/config/config.ts'
import { createInternalIssuerError } from '../../broker/exchange/entra-errors.ts'
import { type AssertionClaims, BrokerError, toBrokerError } from '../../lib/errors.ts'
import { isInternalIssuer } from '../../lib/internal-issuer.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { printable } from '../../lib/printable.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, passed } from './findings.ts'

/** Checks one file, at an instant in epoch milliseconds. The finding has the claims and never the token. */
export async function checkAssertion(
  file: string,
  config: Pick<Config, 'directory' | 'exchange'>,
  now: number,
): Promise<Finding> {
  const details: string[] = []
  try {
    const assertion = await readAssertion(file)
    details.push(...listClaims(assertion, new Date(assertion.expiresAt).toISOString()))
    requireAccepted(file, assertion, config, now)
    return createFinding('projected_token', passed(...details), file)
  } catch (error) {
    return createFinding('projected_token', failed(toBrokerError(error), ...details), file)
  }
}

/** Returns the claims, one line each. */
export function listClaims(claims: AssertionClaims, expiresAt: string): string[] {
  const { issuer, subject, audience } = truncateClaims(claims)
  return [
    `expires at ${expiresAt}`,
    `issuer    ${issuer}`,
    `subject   ${subject}`,
    `audience  ${audience.join(', ')}`,
  ]
}

/** Throws why Entra ID, or the token proxy, will not accept the token, if anything here shows it. */
function requireAccepted(
  file: string,
  assertion: Assertion,
  { directory, exchange }: Pick<Config, 'directory' | 'exchange'>,
  now: number,
): void {
  requireAudience(assertion, file, exchange.audience)
  const { identities, unlisted } = directory
  // Requests may name any client id.
  const unlistedIdentity = unlisted?.('00000000-0000-0000-0000-000000000000') ?? []
  const isForProxy =
    exchange.tokenProxy !== undefined &&
    [identities, unlistedIdentity]
      .flat()
      .some((identity) => identity.tokenFile === file && usesTokenProxy(identity, assertion))
  const { issuer, expiresAt } = assertion
  const algorithm = readAlgorithm(assertion)
  if (!isForProxy && isInternalIssuer(issuer)) throw createInternalIssuerError(issuer)
  if (!isForProxy && algorithm !== 'RS256') {
    throw new BrokerError(
      'assertion_refused',
      `the token in ${file} is signed with ${printable(algorithm)}, which Entra ID rejects (AADSTS5002738)`,
      ALGORITHM_FIX,
    )
  }
  if (expiresAt <= now) throw createExpiredError(file, assertion)
}

/** Returns the signing algorithm in the header of the token; `none` if there is none. */
function readAlgorithm({ secret }: Assertion): string {
  const [header = ''] = secret.reveal().split('.')
  const { alg } = parseJsonObject(Buffer.from(header, 'base64url').toString()) ?? {}
  return typeof alg === 'string' ? alg : 'none'
}
