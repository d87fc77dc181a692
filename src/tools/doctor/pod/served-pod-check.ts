/** Checks a pod of mode node by its status document, which the broker of its node has. */
import { createExpiredError } from '../../../broker/exchange/assertion.ts'
import { listClaims } from '../assertion-check.ts'
import { describeIdentities } from '../checks.ts'
import { createReportedCommands } from '../credential-commands.ts'
import type { Finding } from '../doctor-report.ts'
import { checkClock } from '../exchange-check.ts'
import {
  createFinding,
  endUnmade,
  failed,
  notChecked,
  type Outcome,
  passed,
  reportedFailure,
} from '../findings.ts'
import { readStatus, type ReportedStatus } from '../local-requests.ts'
import { describeRequests } from '../requests-check.ts'
import type { ForwardPort, PodPort } from './port-forward.ts'

/**
 * Reads the status of a pod, `NAMESPACE/NAME`, on an admin port of its node. Returns undefined if the broker does not serve
 * it. Ends the check as not made if it cannot be read.
 */
export async function readServedStatus(
  forwardPort: ForwardPort,
  admin: PodPort,
  pod: string,
): Promise<ReportedStatus | undefined> {
  const forwarded = await forwardPort(admin)
  if (typeof forwarded === 'string') return endUnmade(forwarded)
  await using port = forwarded
  return await readStatus(
    `http://127.0.0.1:${port.port}/status.json?pod=${encodeURIComponent(pod)}`,
  )
}

/** Returns the `SERVED_CHECKS` by the document, as doctor makes them in a sidecar. Tokens that no one has requested are not checked. */
export function checkServedPod(status: ReportedStatus): Finding[] {
  const { clockSkewSeconds: skew } = status
  const assertions = status.assertions.map((each) =>
    createFinding('projected_token', checkAssertion(each, status), each.file),
  )
  return [
    ...describeIdentities(
      status.identities,
      status.tokens.some(({ cached }) => cached !== undefined),
    ),
    ...assertions,
    createFinding('clock', checkClock(skew === undefined ? undefined : skew * 1000, 'the node')),
    ...checkTokens(status, assertions),
    ...describeRequests(status),
  ].map((finding) =>
    finding.commands === undefined ? finding : { ...finding, warnings: [CHOSEN_BY_POD] },
  )
}

/** Checks the projected token, by Entra's clock if it is known. */
function checkAssertion(
  { file, claims, failure }: ReportedStatus['assertions'][number],
  { generatedAt, clockSkewSeconds = 0 }: ReportedStatus,
): Outcome {
  if (failure !== undefined) return reportedFailure(failure)
  if (claims === undefined) return passed()
  const details = listClaims(claims, claims.expiresAt)
  const expiresAt = Date.parse(claims.expiresAt)
  return expiresAt <= Date.parse(generatedAt) - clockSkewSeconds * 1000
    ? failed(createExpiredError(file, { expiresAt }), ...details)
    : passed(...details)
}

/** Returns a finding for each token, and for each identity without one. */
function checkTokens(status: ReportedStatus, assertions: readonly Finding[]): Finding[] {
  const { identities, tokens } = status
  const used = new Set(tokens.map(({ identity }) => identity))
  const findings = [
    ...tokens.map((token) => {
      const subject = `${token.identity} → ${token.resource}`
      return createFinding('token_exchange', checkToken(token, status, assertions), subject)
    }),
    ...identities
      .filter(({ name }) => !used.has(name))
      .map(({ name }) => createFinding('token_exchange', NO_TOKEN, name)),
  ]
  return findings.length > 0 ? findings : [createFinding('token_exchange', NO_TOKEN)]
}

const NO_TOKEN = notChecked(
  'no token is cached: let the application request one, or add the annotation wimds.io/prefetch',
)

function checkToken(
  { identity: name, clientId, cached, failure }: ReportedStatus['tokens'][number],
  status: ReportedStatus,
  assertions: readonly Finding[],
): Outcome {
  const details = cached === undefined ? [] : [`token until ${cached.expiresAt}`]
  if (failure === undefined) return cached === undefined ? NO_TOKEN : passed(...details)
  if (assertions.some((each) => each.failure?.code === failure.code)) {
    return notChecked(`the projected token fails (${failure.code})`, ...details)
  }
  const commands = createReportedCommands(failure.code, { name, clientId }, status)
  return { ...reportedFailure(failure, ...details), commands }
}

/** A projected volume can have a ConfigMap as its token, with another issuer. */
const CHOSEN_BY_POD =
  'anyone who may change the pod may have chosen the client id and the issuer: check both before you run a command'
