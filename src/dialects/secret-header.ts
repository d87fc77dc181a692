/** The shared secret with which applications prove that an endpoint was meant for them. */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BrokerError } from '../errors.ts'
import { Secret } from '../secret.ts'

/**
 * Throws `secret_header_wrong` unless the header (its name in lower case) holds the secret. Digests
 * are compared, in constant time, so that neither the secret's length nor its beginning can be guessed
 * from how long the answer takes.
 */
export function requireSecretHeader(
  headers: IncomingHttpHeaders,
  name: string,
  secret: Secret,
): void {
  const sent = headers[name]
  const isRight =
    typeof sent === 'string' && timingSafeEqual(digest(new Secret(sent)), digest(secret))
  if (!isRight) {
    throw new BrokerError(
      'secret_header_wrong',
      `The header ${name.toUpperCase()} is ${sent === undefined ? 'missing' : 'wrong'}`,
    )
  }
}

function digest(secret: Secret): Buffer {
  return Buffer.from(secret.sha256(), 'hex')
}
