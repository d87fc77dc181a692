/** Validates a client assertion against an application's federated credentials, as Entra ID does. */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Application } from './directory.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import { EntraError } from './entra-error.ts'

interface ValidationOptions {
  readonly application: Application
  readonly fetchKeys: (issuer: string) => Promise<IssuerKeys>
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
}

/** Clock skew tolerance. Entra's own tolerance is not documented. */
const TOLERANCE_MS = 300_000
const MAX_LIFETIME_SECONDS = 25 * 3600
const CHECK =
  'Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation'
/** The texts for issuer and audience begin with "Please"; those for the subject do not. */
const PLEASE_CHECK = CHECK.replace('Check', 'Please check')
const UNMATCHED = 'No matching federated identity record found for presented assertion'

const Header = z.object({ alg: z.string(), kid: z.string().optional(), x5t: z.string().optional() })
const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string()).min(1)]),
  exp: z.number(),
  iat: z.number().optional(),
  nbf: z.number().optional(),
})
type Claims = ReturnType<typeof parseAssertion>['claims']

/**
 * Throws an {@link EntraError} at the first check that fails. Compares the credentials before it verifies the signature: public
 * reports have 70021x for unreachable issuers.
 */
export async function validateAssertion(
  assertion: string,
  options: ValidationOptions,
): Promise<void> {
  const { application, fetchKeys, now } = options
  const { header, claims } = parseAssertion(assertion)
  matchCredential(application, claims)
  validateLifetime(claims)
  const keys = await fetchKeys(claims.iss)
  if (!keys.kids.has(header.kid)) {
    throw new EntraError(
      7000272,
      `The certificate with identifier ${header.kid} used to sign the federated credential could not be found in the metadata of identity provider ${claims.iss}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token.`,
    )
  }
  await verifySignature(assertion, keys.find)
  validateTimes(claims, now)
}

function parseAssertion(assertion: string) {
  const { header, claims } = parseJwt(assertion)
  if (header.kid === undefined) throw new EntraError(5002723)
  if (header.alg !== 'RS256') {
    throw new EntraError(
      5002738,
      `Invalid JWT token. '${header.alg}' is not a supported signature algorithm. Supported signing algorithms are: 'RS256, HS256'`,
    )
  }
  const [audience = '', ...others] = claims.aud
  if (others.length > 0) {
    throw new EntraError(
      5002741,
      `Number of audience values in the provided client credential exceed maximum allowed. ${claims.aud.length} audience values provided, maximum allowed is 1.`,
    )
  }
  return { header: { ...header, kid: header.kid }, claims: { ...claims, audience } }
}

function parseJwt(assertion: string) {
  try {
    const header = Header.parse(decodeProtectedHeader(assertion))
    return { header, claims: Claims.parse(decodeJwt(assertion)) }
  } catch {
    throw new EntraError(50027)
  }
}

/** Compares issuer, subject and audience: exactly, case-sensitively, without wildcards. Throws the `EntraError`. */
function matchCredential(
  { federatedCredentials: credentials }: Application,
  { iss, sub, audience: presented }: Claims,
): void {
  if (credentials.length === 0) throw new EntraError(70025)
  const sameIssuer = credentials.filter(({ issuer }) => issuer === iss)
  if (sameIssuer.length === 0)
    throw new EntraError(700211, `${UNMATCHED} issuer '${iss}'. ${PLEASE_CHECK}`)

  const sameSubject = sameIssuer.filter(({ subject }) => subject === sub)
  if (sameSubject.length === 0) {
    throw sameIssuer.some(({ subject }) => differsInCaseOnly(subject, sub))
      ? new EntraError(
          7002138,
          `${UNMATCHED} subject '${sub}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. ${CHECK}`,
        )
      : new EntraError(700213, `${UNMATCHED} subject '${sub}'. ${CHECK}`)
  }
  if (sameSubject.some(({ audience }) => audience === presented)) return
  const isCaseOnly = sameSubject.some(({ audience }) => differsInCaseOnly(presented, audience))
  throw new EntraError(
    isCaseOnly ? 7002121 : 700212,
    `${UNMATCHED} audience '${presented}'. ${PLEASE_CHECK}`,
  )
}

const differsInCaseOnly = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase()

/** Without `iat` the token counts as issued in 1970 (E12). */
function validateLifetime({ iat: start = 0, exp }: Claims): void {
  if (exp - start <= MAX_LIFETIME_SECONDS) return
  throw new EntraError(
    70023,
    `External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00. Token issued at ${formatInstant(start)}. Token expires on ${formatInstant(exp)}.`,
  )
}

async function verifySignature(assertion: string, keys: IssuerKeys['find']): Promise<void> {
  try {
    // Verifies the signature only. validateTimes checks the times, with their own error text.
    const { iat, nbf, exp = 0 } = decodeJwt(assertion)
    const issuedAt = Math.min(nbf ?? iat ?? 0, exp - 1)
    await jwtVerify(assertion, keys, { currentDate: new Date(issuedAt * 1000) })
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      throw new EntraError(700027)
    }
    throw new EntraError(5002730)
  }
}

function validateTimes({ nbf, exp }: Claims, now: number): void {
  const start = nbf ?? 0
  if (start * 1000 - TOLERANCE_MS <= now && now < exp * 1000 + TOLERANCE_MS) return
  throw new EntraError(
    700024,
    `Client assertion is not within its valid time range. Current time: ${formatInstant(now / 1000)}, assertion valid from ${formatInstant(start)}, expiry time of assertion ${formatInstant(exp)}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .`,
  )
}

/** Formats a time in .NET's round-trip form: 7 fractional digits. */
const formatInstant = (epochSeconds: number): string =>
  new Date(epochSeconds * 1000).toISOString().replace('Z', '0000Z')
