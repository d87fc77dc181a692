/** Checks a projected token before it is sent anywhere. */
import {
  createExpiredError,
  readAssertion,
  requireAudience,
  truncateClaims,
} from '../../broker/exchange/assertion.ts'
import { type AssertionClaims, toBrokerError } from '../../lib/errors.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, passed } from './findings.ts'

/**
 * Checks one file, at an instant in epoch milliseconds; `audience` is WIMDS_AUDIENCE. The finding has the claims and never
 * the token.
 */
export async function checkAssertion(
  file: string,
  audience: string | undefined,
  now: number,
): Promise<Finding> {
  const details: string[] = []
  try {
    const assertion = await readAssertion(file)
    details.push(...listClaims(assertion, new Date(assertion.expiresAt).toISOString()))
    requireAudience(assertion, file, audience)
    if (assertion.expiresAt <= now) throw createExpiredError(file, assertion)
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
