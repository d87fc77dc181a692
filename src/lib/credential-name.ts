/** Names federated credentials. */
import { createHash } from 'node:crypto'

/** Azure allows 3 to 120 letters, digits, `-` and `_`, the first a letter or digit. A name cannot be changed later. */
const MAX_LENGTH = 120
const HASH_LENGTH = 8

/**
 * Returns a name such as `wimds-shop-orders-1f0c2a9e`, always the same for an issuer and a subject. The hash
 * keeps apart clusters that share an identity, and subjects that differ only in characters that names
 * may not have: creating a credential under a name that exists overwrites the other one.
 */
export function createCredentialName(issuer: string, subject: string): string {
  const words = subject
    .replace(/^system:serviceaccount:/, '')
    .split(':')
    .map((part) => part.replace(/[^A-Za-z0-9-]+/g, '-'))
  const prefix = ['wimds', ...words].join('-').slice(0, MAX_LENGTH - HASH_LENGTH - 1)
  const hash = createHash('sha256').update(`${issuer}\n${subject}`).digest('hex')
  return `${prefix.replace(/-+$/, '')}-${hash.slice(0, HASH_LENGTH)}`
}
