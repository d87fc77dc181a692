/** Checks a projected token before it is sent anywhere. */
import { stat } from 'node:fs/promises'
import { errorCode } from '../../lib/describe-error.ts'
import { type AssertionClaims, BrokerError, toBrokerError } from '../../lib/errors.ts'
import {
  type Assertion,
  createExpiredError,
  findApiAudience,
  formatAudience,
  hasUnexpectedAudience,
  readAssertion,
  requireAudience,
  truncateClaims,
} from '../../broker/exchange/assertion.ts'
import { DEFAULT_AUDIENCE, findAudience, findCloud } from '../../lib/clouds.ts'
import { ENABLE_OIDC_ISSUER, isInternalIssuer } from '../../lib/internal-issuer.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { printable } from '../../lib/printable.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { ALGORITHM_FIX } from '../../broker/aadsts.ts'
import { createInternalIssuerError } from '../../broker/exchange/entra-errors.ts'
import type { Config } from '../../broker/config/config.ts'
import type { Finding } from './doctor-report.ts'
import { isViaTokenProxy } from './connectivity.ts'
import { createFinding, failed, passed } from './findings.ts'

export interface AssertionCheck {
  readonly finding: Finding
  /** Undefined: the file has none. */
  readonly assertion?: Assertion
}

const HOUR_MS = 3_600_000
/** The kubelet rotates a token after 80 % of its lifetime, so one this close to its end is stale. */
const STALE_MS = 60_000

/** Checks one file, at an instant in epoch milliseconds. The finding has the claims and never the token. */
export async function checkAssertion(
  file: string,
  config: Pick<Config, 'directory' | 'exchange'>,
  now: number,
): Promise<AssertionCheck> {
  try {
    const assertion = await readAssertion(file)
    const receiver = findReceiver(file, assertion, config)
    const error = findError(file, assertion, receiver, now)
    const details = listClaims(assertion, new Date(assertion.expiresAt).toISOString())
    const outcome = error === undefined ? passed(...details) : failed(error, ...details)
    const warnings = [
      ...(error?.code === 'assertion_audience' ? [] : findAudienceWarnings(assertion, receiver)),
      ...findWarnings(assertion, now),
    ]
    return { finding: createFinding('projected_token', { ...outcome, warnings }, file), assertion }
  } catch (thrown) {
    const error = await explainPermissions(file, toBrokerError(thrown))
    return { finding: createFinding('projected_token', failed(error), file) }
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

/** The servers that a token is sent to. */
interface Receiver {
  /** Origins of the clouds. */
  readonly authorityHosts: readonly string[]
  /** True for the token proxy, which has an audience of its own. */
  readonly isTokenProxy: boolean
  /** WIMDS_AUDIENCE. */
  readonly audience: string | undefined
}

function findReceiver(
  file: string,
  assertion: Assertion,
  { directory, exchange }: Pick<Config, 'directory' | 'exchange'>,
): Receiver {
  const identities = directory.identities.filter(({ tokenFile }) => tokenFile === file)
  return {
    authorityHosts: identities.map(({ authorityHost }) => authorityHost),
    isTokenProxy: identities.some((identity) => isViaTokenProxy(identity, exchange, assertion)),
    audience: exchange.audience,
  }
}

/** Adds who may read the file, and who this process is, to the error of a file that it may not read. */
async function explainPermissions(file: string, error: BrokerError): Promise<BrokerError> {
  const reason = errorCode(error.cause)
  if (reason === 'ERR_ACCESS_DENIED') {
    return new BrokerError(
      error.code,
      `the image of the sidecar does not let Node read ${file}`,
      `mount the projected token below /var/run/secrets, or allow the folder: ${DOCS_URL}/security.html`,
    )
  }
  const stats = reason === 'EACCES' ? await stat(file).catch(() => undefined) : undefined
  if (stats === undefined) return error
  const permissions = (stats.mode & 0o777).toString(8)
  return new BrokerError(
    error.code,
    `the projected token file ${file} has the mode ${permissions} and belongs to uid ${stats.uid} and gid ${stats.gid}, and this process has uid ${process.getuid?.()} and may not read it`,
    "remove defaultMode from the projected volume, or set fsGroup of the pod's securityContext",
  )
}

function findError(
  file: string,
  assertion: Assertion,
  { authorityHosts, audience, isTokenProxy }: Receiver,
  now: number,
): BrokerError | undefined {
  const { issuer, expiresAt } = assertion
  try {
    requireAudience(assertion, file, audience)
  } catch (error) {
    const apiAudience = findApiAudience(assertion)
    if (apiAudience === undefined) return toBrokerError(error)
    return new BrokerError(
      toBrokerError(error).code,
      `the token in ${file} has the audience ${apiAudience}: it is a credential for the Kubernetes API, such as the default service-account token, and is not sent to Entra ID`,
      `mount a projected service-account token with the audience of Entra ID, ${findAudience(authorityHosts[0])}, as injection does; on AKS, if the cluster has no OIDC issuer, first run ${ENABLE_OIDC_ISSUER}`,
    )
  }
  if (!isTokenProxy) {
    if (isInternalIssuer(issuer)) return createInternalIssuerError(issuer)
    const algorithm = readAlgorithm(assertion)
    if (algorithm !== 'RS256') {
      return new BrokerError(
        'assertion_refused',
        `the token in ${file} is signed with ${printable(algorithm)}, and Entra ID rejects it (AADSTS5002738)`,
        ALGORITHM_FIX,
      )
    }
  }
  return expiresAt <= now ? createExpiredError(file, assertion) : undefined
}

/** Returns the signing algorithm in the header of the token; `none` if there is none. */
function readAlgorithm({ secret }: Assertion): string {
  const [header = ''] = secret.reveal().split('.')
  const { alg } = parseJsonObject(Buffer.from(header, 'base64url').toString()) ?? {}
  return typeof alg === 'string' ? alg : 'none'
}

function findWarnings({ subject, issuedAt, expiresAt }: Assertion, now: number): string[] {
  const msLeft = expiresAt - now
  const isStale = msLeft > 0 && msLeft < STALE_MS
  const isLong = issuedAt !== undefined && expiresAt - issuedAt > 24 * HOUR_MS
  const isOfAccount = /^system:serviceaccount:[^:]+:[^:]+$/.test(subject)
  return [
    isStale ? 'it expires within a minute: the kubelet should have rotated it' : [],
    isLong
      ? 'its lifetime is more than 24 hours, and Entra ID rejects more than 25: set expirationSeconds of the projected volume to 3600'
      : [],
    isOfAccount ? [] : 'its subject is not a Kubernetes service account',
  ].flat()
}

function findAudienceWarnings(
  assertion: Assertion,
  { authorityHosts, isTokenProxy, audience }: Receiver,
): string[] {
  if (isTokenProxy || audience !== undefined) return []
  const expected = new Set(
    authorityHosts.flatMap((origin) => findCloud(new URL(origin).hostname)?.audience ?? []),
  )
  const isExpected =
    expected.size > 0
      ? assertion.audience.every((name) => expected.has(name))
      : !hasUnexpectedAudience(assertion)
  if (isExpected) return []
  const usual = expected.size > 0 ? [...expected].join(' or ') : DEFAULT_AUDIENCE
  return [
    `its audience is ${formatAudience(assertion.audience)}, and the usual one is ${usual}: correct it in the projected volume, or set WIMDS_AUDIENCE to it if the federated credential has it on purpose`,
  ]
}
