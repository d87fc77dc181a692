/** The keys with which the simulated issuer and the simulated Entra ID sign their tokens. */
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** Creates a new RS256 key. Its id is a digest of the public key's DER form. */
export async function createSigningKey(digest: 'sha1' | 'sha256') {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const der = await crypto.subtle.exportKey('spki', publicKey)
  const kid = createHash(digest).update(new Uint8Array(der)).digest('base64url')
  return {
    kid,
    /** The public key in the form for key sets. */
    jwk: { ...(await exportJWK(publicKey)), use: 'sig', alg: 'RS256', kid },
    /** Signs a token. The header may override the key id. Members whose value is `undefined` are left out. */
    sign: (claims: JWTPayload, header: Readonly<Record<string, unknown>> = {}) =>
      new SignJWT(claims).setProtectedHeader({ kid, ...header, alg: 'RS256' }).sign(privateKey),
  }
}
