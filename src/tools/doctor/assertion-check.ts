/** Checks a projected token before it is sent anywhere. */
import { stat } from 'node:fs/promises'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import {
  type Assertion,
  createExpiredError,
  createInternalIssuerError,
  findApiAudience,
  hasUnexpectedAudience,
  readAssertion,
  requireAudience,
} from '../../sidecar/exchange/assertion.ts'
import { DEFAULT_AUDIENCE, findAudience, findCloud } from '../../lib/clouds.ts'
import { ENABLE_OIDC_ISSUER, formatCommand } from '../../lib/shell.ts'
import { isInternalIssuer } from '../../lib/internal-issuer.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { printable } from '../../lib/printable.ts'
import { ALGORITHM_FIX } from '../../sidecar/exchange/aadsts.ts'
import type { Finding } from './doctor-report.ts'
import { toFailure } from './failure.ts'
import { failed, passed } from './findings.ts'

interface CheckOptions {
  /** Origins of the clouds that the token is sent to. */
  readonly authorityHosts: readonly string[]
  /** Returns true if the token is sent to the token proxy, which has an audience of its own. */
  readonly isForTokenProxy: (assertion: Assertion) => boolean
  /** WIMDS_AUDIENCE. */
  readonly audience?: string
  /** Epoch milliseconds. */
  readonly now: number
}

const HOUR_MS = 3_600_000
/** The kubelet rotates a token after 80 % of its lifetime, so one this close to its end is stale. */
const STALE_MS = 60_000

/** Returns the finding of one file, with the claims and never the token, and its assertion if it has one. */
export async function checkAssertion(
  file: string,
  options: CheckOptions,
): Promise<{ finding: Finding; assertion?: Assertion }> {
  try {
    const assertion = await readAssertion(file)
    const { issuer, subject, audience, expiresAt } = assertion
    const error = findFailure(file, assertion, options)
    const details = [
      `expires at ${new Date(expiresAt).toISOString()}`,
      `issuer    ${issuer}`,
      `subject   ${subject}`,
      `audience  ${audience.join(', ')}`,
    ]
    const warnings = findWarnings(assertion, options, error)
    const finding: Finding = {
      ...(error === undefined
        ? passed('projected_token', ...details)
        : failed('projected_token', toFailure(error), ...details)),
      subject: file,
      ...(warnings.length > 0 && { warnings }),
    }
    return { finding, assertion }
  } catch (thrown) {
    const error = await explainPermissions(file, toBrokerError(thrown))
    return { finding: { ...failed('projected_token', toFailure(error)), subject: file } }
  }
}

/** Adds who may read the file, and who this process is, to the error of a file that it may not read. */
async function explainPermissions(file: string, error: BrokerError): Promise<BrokerError> {
  const reason =
    error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined
  if (reason === 'ERR_ACCESS_DENIED') {
    return new BrokerError(
      error.code,
      `the image of the sidecar does not let Node read ${file}`,
      'mount the projected token below /var/run/secrets, or allow the folder (docs/security.md)',
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

function findFailure(
  file: string,
  assertion: Assertion,
  { authorityHosts, audience, isForTokenProxy, now }: CheckOptions,
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
      `mount a projected service-account token with the audience of Entra ID, ${findAudience(authorityHosts[0])}, as injection does; on AKS, if the cluster has no OIDC issuer, first run ${formatCommand(ENABLE_OIDC_ISSUER)}`,
    )
  }
  if (!isForTokenProxy(assertion)) {
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

function findWarnings(
  assertion: Assertion,
  options: CheckOptions,
  error: BrokerError | undefined,
): string[] {
  const { subject, issuedAt, expiresAt } = assertion
  const msLeft = expiresAt - options.now
  const warnings =
    error?.code === 'assertion_audience' ? [] : findAudienceWarnings(assertion, options)
  if (msLeft > 0 && msLeft < STALE_MS) {
    warnings.push('it expires within a minute: the kubelet should have rotated it')
  }
  if (issuedAt !== undefined && expiresAt - issuedAt > 24 * HOUR_MS) {
    warnings.push(
      'its lifetime is more than 24 hours, and Entra ID rejects more than 25: set expirationSeconds of the projected volume to 3600',
    )
  }
  if (!/^system:serviceaccount:[^:]+:[^:]+$/.test(subject)) {
    warnings.push('its subject is not a Kubernetes service account')
  }
  return warnings
}

function findAudienceWarnings(
  assertion: Assertion,
  { authorityHosts, isForTokenProxy, audience }: CheckOptions,
): string[] {
  if (isForTokenProxy(assertion) || audience !== undefined) return []
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
    `its audience is ${assertion.audience.join(', ')}, and the usual one is ${usual}: correct it in the projected volume, or set WIMDS_AUDIENCE to it if the federated credential has it on purpose`,
  ]
}
