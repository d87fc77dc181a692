/** Checks a projected token before it is sent anywhere. */
import { BrokerError, toBrokerError } from '../errors.ts'
import {
  type Assertion,
  type AssertionReader,
  hasUnexpectedAudience,
} from '../exchange/assertion.ts'
import { findCloud } from '../exchange/clouds.ts'
import { toProblem } from './problem.ts'
import type { AssertionReport } from './report.ts'

interface CheckOptions {
  /** Origins of the clouds that the token is sent to. */
  readonly authorityHosts: readonly string[]
  /** True if it is sent to the token proxy, which has an audience of its own. */
  readonly hasTokenProxy: boolean
  /** WIMDS_AUDIENCE, which the reader has checked. */
  readonly audience?: string
  /** Epoch milliseconds. */
  readonly now: number
}

const HOUR_MS = 3_600_000
/** The kubelet rotates a token after 80 % of its lifetime, so one this close to its end is stale. */
const STALE_MS = 60_000

/** Returns the report of one file, and its assertion if it has one. */
export async function checkAssertion(
  file: string,
  read: AssertionReader,
  options: CheckOptions,
): Promise<{ report: AssertionReport; assertion?: Assertion }> {
  try {
    const assertion = await read(file)
    const { issuer, subject, audience, issuedAt, expiresAt } = assertion
    const error = findFailure(file, assertion, options)
    const report: AssertionReport = {
      file,
      ok: error === undefined,
      issuer,
      subject,
      audience,
      ...(issuedAt !== undefined && { issuedAt: formatInstant(issuedAt) }),
      expiresAt: formatInstant(expiresAt),
      warnings: findWarnings(assertion, options),
      ...(error !== undefined && { error: toProblem(error) }),
    }
    return { report, assertion }
  } catch (error) {
    return { report: { file, ok: false, warnings: [], error: toProblem(toBrokerError(error)) } }
  }
}

function findFailure(
  file: string,
  { expiresAt }: Assertion,
  { now }: CheckOptions,
): BrokerError | undefined {
  if (expiresAt > now) return undefined
  const minutes = Math.max(1, Math.round((now - expiresAt) / 60_000))
  return new BrokerError(
    'assertion_expired',
    `the projected token in ${file} expired ${minutes} min ago by the clock of this machine. Fix: check that it is a projected volume, the kubelet's log, and the clock of the node`,
  )
}

function findWarnings(assertion: Assertion, options: CheckOptions): string[] {
  const { issuer, subject, issuedAt, expiresAt } = assertion
  const msLeft = expiresAt - options.now
  const warnings = findAudienceWarnings(assertion, options)
  if (msLeft > 0 && msLeft < STALE_MS) {
    warnings.push('it expires within a minute: the kubelet should have rotated it')
  }
  if (issuedAt !== undefined && expiresAt - issuedAt > 24 * HOUR_MS) {
    warnings.push(
      'its lifetime is more than 24 hours, and Entra ID rejects more than 25: set expirationSeconds of the projected volume to 3600',
    )
  }
  if (!issuer.startsWith('https://')) {
    warnings.push('its issuer is not an https URL, so Entra ID cannot fetch its keys')
  }
  if (!/^system:serviceaccount:[^:]+:[^:]+$/.test(subject)) {
    warnings.push('its subject is not a Kubernetes service account')
  }
  return warnings
}

function findAudienceWarnings(
  assertion: Assertion,
  { authorityHosts, hasTokenProxy, audience }: CheckOptions,
): string[] {
  if (hasTokenProxy || audience !== undefined) return []
  const expected = new Set(
    authorityHosts.flatMap((origin) => findCloud(new URL(origin).hostname)?.audience ?? []),
  )
  const isExpected =
    expected.size > 0
      ? assertion.audience.every((name) => expected.has(name))
      : !hasUnexpectedAudience(assertion)
  if (isExpected) return []
  const usual =
    expected.size > 0
      ? `, but the usual one in this cloud is ${[...expected].join(' or ')}`
      : ', which is unusual'
  return [
    `its audience is ${assertion.audience.join(', ')}${usual}: the federated credential must have the same audience`,
  ]
}

function formatInstant(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
