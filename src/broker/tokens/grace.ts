/** How long a rejection counts as temporary, since what is missing may be new. `identity-failures.ts` keeps when that began. */
import { type BrokerError, ERROR_KINDS } from '../../lib/errors.ts'
import { explainError } from '../aadsts.ts'

/** Returns true for a rejection that counts as temporary because the missing credential or application may be new. */
export function isInGrace(error: BrokerError): boolean {
  return !error.isPermanent && findGraceMs(error) > 0
}

/** Returns true for a rejection that ends when a change has reached all nodes of Entra ID. */
export function isPropagating(error: BrokerError): boolean {
  const minutes = explainError(error)?.passesWithinMinutes ?? 0
  return minutes > 0 && minutes < Infinity
}

/**
 * Returns for how many milliseconds a rejection with a permanent code counts as temporary, since the credential, the
 * application or the service principal may be new; otherwise 0.
 */
export function findGraceMs(error: BrokerError): number {
  const isPermanent = ERROR_KINDS[error.code].permanent
  return isPermanent ? (explainError(error)?.passesWithinMinutes ?? 0) * 60_000 : 0
}
