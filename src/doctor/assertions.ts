/** What is to be said of a projected token before anybody sends it anywhere. */
import { type BrokerError, toBrokerError } from '../errors.ts'
import {
  type Assertion,
  type AssertionReader,
  hasUnexpectedAudience,
} from '../exchange/assertion.ts'
import { explainAadsts } from '../exchange/aadsts.ts'
import { findCloud } from '../exchange/clouds.ts'
import { scrub } from '../secret.ts'
import type { AssertionReport, Problem } from './report.ts'

interface Circumstances {
  /** Origins of the clouds that it is presented to. */
  readonly authorityHosts: readonly string[]
  /** True: the cluster's token proxy is between, and it wants an audience of its own. */
  readonly hasTokenProxy: boolean
  /** The audience of WIMDS_AUDIENCE, which an assertion has been checked for. */
  readonly audience?: string
  /** Epoch milliseconds. */
  readonly now: number
}

const DAY_MS = 86_400_000
/** A kubelet renews at 80 % of the life; a token that is nearly gone shows that it does not. */
const NEARLY_MS = 60_000

/** The report of one file, and its assertion if it holds one. */
export async function examineAssertion(
  file: string,
  read: AssertionReader,
  circumstances: Circumstances,
): Promise<{ report: AssertionReport; assertion?: Assertion }> {
  try {
    const assertion = await read(file)
    const { issuer, subject, audience, issuedAt, expiresAt } = assertion
    const isExpired = expiresAt <= circumstances.now
    const report: AssertionReport = {
      file,
      ok: !isExpired,
      issuer,
      subject,
      audience,
      ...(issuedAt !== undefined && { issuedAt: instant(issuedAt) }),
      expiresAt: instant(expiresAt),
      warnings: warningsOf(assertion, circumstances),
    }
    return { report, assertion }
  } catch (error) {
    return { report: { file, ok: false, warnings: [], error: problemOf(toBrokerError(error)) } }
  }
}

/** An error as doctor tells it. */
export function problemOf({ code, message, entra }: BrokerError): Problem {
  const aadsts = entra?.aadsts
  const explained = aadsts === undefined ? undefined : explainAadsts(aadsts)
  return {
    code,
    // The remedy that the sidecar appends to what Entra ID said has a member of its own here.
    message: scrub(explained === undefined ? message : (message.split(' Fix: ')[0] ?? message)),
    ...(aadsts !== undefined && { aadsts }),
    ...(explained !== undefined && { meaning: explained.explanation, remedy: explained.fix }),
  }
}

function warningsOf(assertion: Assertion, circumstances: Circumstances): string[] {
  const { issuer, subject, issuedAt, expiresAt } = assertion
  const { now } = circumstances
  const warnings = audienceWarnings(assertion, circumstances)
  if (expiresAt <= now) {
    warnings.push(`it expired ${minutes(now - expiresAt)} ago by this machine’s clock`)
  } else if (expiresAt - now < NEARLY_MS) {
    warnings.push('it expires within a minute: the kubelet should have renewed it')
  }
  if (issuedAt !== undefined && expiresAt - issuedAt > DAY_MS) {
    warnings.push(
      'it lives for more than 24 hours, and Entra ID takes none of more than 25: set expirationSeconds of the projected volume to 3600',
    )
  }
  if (!issuer.startsWith('https://')) {
    warnings.push('its issuer is no https URL, so Entra ID cannot fetch the keys of it')
  }
  if (!/^system:serviceaccount:[^:]+:[^:]+$/.test(subject)) {
    warnings.push('its subject is not that of a Kubernetes service account')
  }
  return warnings
}

/** Not asked of a token proxy, nor where WIMDS_AUDIENCE has judged. */
function audienceWarnings(
  assertion: Assertion,
  { authorityHosts, hasTokenProxy, audience }: Circumstances,
): string[] {
  if (hasTokenProxy || audience !== undefined) return []
  const usual = new Set(
    authorityHosts.flatMap((origin) => findCloud(new URL(origin).hostname)?.audience ?? []),
  )
  const found = assertion.audience.join(', ')
  if (usual.size > 0 && !assertion.audience.every((name) => usual.has(name))) {
    return [
      `its audience is ${found}, where ${[...usual].join(' or ')} is usual in this cloud: the federated identity credential must have the same`,
    ]
  }
  if (hasUnexpectedAudience(assertion)) {
    return [
      `its audience ${found} is unusual: the federated identity credential must have the same`,
    ]
  }
  return []
}

function minutes(ms: number): string {
  return `${Math.max(1, Math.round(ms / 60_000))} min`
}

function instant(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
