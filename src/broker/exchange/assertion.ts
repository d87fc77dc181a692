/** Reads the projected service-account token that is sent to Entra ID as client assertion. */
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose/jwt/decode'
import * as z from 'zod/mini'
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import { type AssertionClaims, BrokerError } from '../../lib/errors.ts'
import { ENABLE_OIDC_ISSUER } from '../../lib/internal-issuer.ts'
import { scrubAndTruncate, Secret } from '../../lib/secret.ts'
import { errorCode } from '../../lib/describe-error.ts'
import { readRegularFile } from '../../lib/files.ts'
import { docsPage } from '../../lib/version.ts'
import { createSingleFlight } from '../../lib/semaphore.ts'

/** A projected token, with the claims that decide whether Entra ID accepts it. */
export interface Assertion extends AssertionClaims {
  readonly secret: Secret
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

interface ReaderOptions {
  /** Reads the file system by default. */
  readonly readFile?: (path: string) => Promise<string>
  /** WIMDS_AUDIENCE: the audience an assertion must have; undefined: any. */
  readonly audience?: string | undefined
}

export type AssertionReader = (path: string) => Promise<Assertion>

/** Nomad rewrites the file in place, so it is empty for some milliseconds. Such a file is read again after this delay. */
const REREAD_DELAY_MS = 50

/** Projected tokens have 1 to 2 kB. */
const MAX_TOKEN_BYTES = 65_536

/** The range of a JavaScript `Date` in epoch seconds: logs and the status page print these claims. */
const MAX_DATE_SECONDS = 8_640_000_000_000
const epochSeconds = z.number().check(z.minimum(-MAX_DATE_SECONDS), z.maximum(MAX_DATE_SECONDS))

const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: epochSeconds,
})

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** `https://kubernetes.default.svc`, `kubernetes` and `https://NAME.hcp.REGION.azmk8s.io`, also in quotes. */
const API_AUDIENCE = /^"?(?:https?:\/\/)?(?:kubernetes|[^/]+\.azmk8s\.io)/i

/**
 * Creates a reader that opens the file again after each read, because the kubelet rotates the token by swapping a symbolic
 * link. Callers share a running read. Throws `assertion_missing`, `assertion_unreadable`, `assertion_empty`,
 * `assertion_malformed` or `assertion_audience`. Does not check whether the token has expired: the local clock may be wrong, so
 * Entra ID decides.
 */
export function createAssertionReader({
  audience,
  readFile = (path) => readRegularFile(path, MAX_TOKEN_BYTES + 1),
}: ReaderOptions = {}): AssertionReader {
  const share = createSingleFlight<Assertion>()
  return (path) =>
    share(path, async () => {
      let text = await read(path, readFile)
      if (!JWT.test(text)) {
        await sleep(REREAD_DELAY_MS)
        text = await read(path, readFile)
      }
      const assertion = parseAssertion(text, path)
      requireAudience(assertion, path, audience)
      return assertion
    })
}

/** A federated credential has at most this many characters in each of its three values. */
const MAX_CLAIM = 600
/** Projected tokens have one audience. */
const MAX_AUDIENCES = 5

/** Truncates claims to a size that may be kept and shown, since the claims of a token may have 64 KiB. */
export function truncateClaims({ issuer, subject, audience }: AssertionClaims): AssertionClaims {
  return {
    issuer: issuer.slice(0, MAX_CLAIM),
    subject: subject.slice(0, MAX_CLAIM),
    audience: truncateAudience(audience),
  }
}

function truncateAudience(audience: readonly string[]): readonly string[] {
  return audience.slice(0, MAX_AUDIENCES).map((each) => each.slice(0, MAX_CLAIM))
}

export function formatAudience(audience: readonly string[]): string {
  return scrubAndTruncate(truncateAudience(audience).join(', '), MAX_CLAIM)
}

/**
 * Throws `assertion_audience` for a token without the audience of WIMDS_AUDIENCE, and for a token of the Kubernetes API. Its
 * receiver could use such a token against the cluster, so it leaves the pod only if WIMDS_AUDIENCE names its audience.
 */
function requireAudience(
  assertion: Pick<Assertion, 'issuer' | 'audience'>,
  path: string,
  audience?: string,
): void {
  if (audience !== undefined && !assertion.audience.includes(audience)) {
    throw new BrokerError(
      'assertion_audience',
      `the projected token in ${path} has the audience ${formatAudience(assertion.audience)}, but WIMDS_AUDIENCE is ${audience}`,
      `correct WIMDS_AUDIENCE, or set the audience of the projected volume to ${audience}`,
    )
  }
  const apiAudience = findApiAudience(assertion)
  if (apiAudience !== undefined && apiAudience !== audience) {
    throw new BrokerError(
      'assertion_audience',
      `the token in ${path} has the audience ${formatAudience([apiAudience])}: it is a credential for the Kubernetes API and is not sent to Entra ID`,
      `mount a projected service-account token with the audience of its cloud (${DEFAULT_AUDIENCE} in the public cloud); if the federated credential has the audience of the Kubernetes API, set WIMDS_AUDIENCE to it; on AKS, if the cluster has no OIDC issuer, first run ${ENABLE_OIDC_ISSUER}`,
    )
  }
}

/**
 * Returns the audience of the Kubernetes API in a token, which is by default the issuer and on AKS the API server; undefined if
 * it has none.
 */
function findApiAudience({
  issuer,
  audience,
}: Pick<Assertion, 'issuer' | 'audience'>): string | undefined {
  const issuerUrl = removeTrailingSlash(issuer)
  return audience.find((name) => API_AUDIENCE.test(name) || removeTrailingSlash(name) === issuerUrl)
}

function removeTrailingSlash(url: string): string {
  return url.replace(/\/$/, '')
}

/** Creates the error of a projected token that has expired by the clock of this machine. */
export function createExpiredError(
  file: string,
  { expiresAt }: Pick<Assertion, 'expiresAt'>,
): BrokerError {
  return new BrokerError(
    'assertion_expired',
    `the projected token in ${file} expired at ${new Date(expiresAt).toISOString()} by the clock of this machine`,
    "check that the file is in a projected volume, the kubelet's log, and the clock of the node",
  )
}

/** Reads the text without the white space around it. */
async function read(path: string, readFile: (path: string) => Promise<string>): Promise<string> {
  try {
    return (await readFile(path)).trim()
  } catch (error) {
    const reason = errorCode(error) ?? 'unknown'
    if (reason === 'ENOENT' || reason === 'ENOTDIR') {
      throw new BrokerError('assertion_missing', `there is no projected token at ${path}`, {
        fix: 'mount a projected service-account token there, or set AZURE_FEDERATED_TOKEN_FILE to its path',
        cause: error,
      })
    }
    throw new BrokerError(
      'assertion_unreadable',
      `the projected token file ${path} cannot be read: ${reason === 'EFTYPE' ? 'not a regular file' : reason}`,
      { fix: FIXES_BY_REASON[reason] ?? 'check the file system of the node', cause: error },
    )
  }
}

const REGULAR_FILE_FIX = 'set AZURE_FEDERATED_TOKEN_FILE to the file, not to its directory'
const RIGHTS_FIX =
  'let the user of the sidecar read it: remove defaultMode from the projected volume, or set fsGroup in the securityContext of the pod'
const READABLE_FIX = `the image lets Node read the folders of Kubernetes: mount the projected token below /var/run/secrets, or allow its folder: ${docsPage('security')}`
const OPEN_FILES_FIX =
  'raise the limit of open files of the container runtime, or lower WIMDS_MAX_CONNECTIONS'
const FIXES_BY_REASON: Readonly<Record<string, string>> = {
  EFTYPE: REGULAR_FILE_FIX,
  EISDIR: REGULAR_FILE_FIX,
  EACCES: RIGHTS_FIX,
  EPERM: RIGHTS_FIX,
  ERR_ACCESS_DENIED: READABLE_FIX,
  EMFILE: OPEN_FILES_FIX,
  ENFILE: OPEN_FILES_FIX,
}

/** Parses a projected token. Errors do not repeat the text, which may be a credential of another kind. */
function parseAssertion(text: string, path: string): Assertion {
  if (text === '') {
    throw new BrokerError(
      'assertion_empty',
      `the projected token file ${path} is empty`,
      'wait for the kubelet to write it; if it stays empty, check what else writes to it',
    )
  }
  const isJwt = text.length <= MAX_TOKEN_BYTES && JWT.test(text)
  const claims = isJwt ? decodeClaims(Claims, text) : undefined
  if (claims === undefined) {
    throw new BrokerError(
      'assertion_malformed',
      `the file ${path} does not contain a service-account token (a JWT with iss, sub, aud and exp)`,
      'set AZURE_FEDERATED_TOKEN_FILE to the path of the projected token',
    )
  }
  return {
    secret: new Secret(text),
    issuer: claims.iss,
    subject: claims.sub,
    audience: [claims.aud].flat(),
    expiresAt: claims.exp * 1000,
  }
}

/** Returns the claims of a JWT by the schema; undefined for another text or other claims. Does not verify the signature. */
export function decodeClaims<T>(schema: z.ZodMiniType<T>, text: string): T | undefined {
  try {
    return schema.parse(decodeJwt(text))
  } catch {
    return undefined
  }
}
