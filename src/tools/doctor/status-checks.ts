/** The checks of a status document: identities, projected tokens, clock, tokens and requests. */
import { isSkewed, describeSkew, SKEW_FIX } from '../../broker/exchange/clock-skew.ts'
import { createExpiredError, formatAudience } from '../../broker/exchange/assertion.ts'
import { WITHOUT_IDENTITY } from '../../broker/telemetry/find-problems.ts'
import { createCredentialCommands } from './federated-credential-commands.ts'
import { DEFAULT_AUDIENCE, isFederationAudience } from '../../lib/clouds.ts'
import type { Finding } from './doctor-report.ts'
import {
  createFinding,
  failed,
  notChecked,
  type Outcome,
  passed,
  reportedFailure,
} from './findings.ts'
import { describeRequests } from './requests-check.ts'
import type { ReportedStatus, TokenStatus } from './status.ts'

/** Makes the checks of how a pod gets its tokens, and warns of its settings. */
export function checkStatus(status: ReportedStatus): Finding[] {
  const findings = [...checkTokens(status, 'the node'), ...describeRequests(status)].map(
    (finding) =>
      finding.commands === undefined ? finding : { ...finding, warnings: [CHOSEN_BY_POD] },
  )
  const { warnings } = status
  return warnings.length === 0
    ? findings
    : [createFinding('settings', { ...passed(), warnings }), ...findings]
}

/** Whoever writes the pod can also put a ConfigMap in place of the projected token, with another issuer. */
const CHOSEN_BY_POD =
  'anyone who may change the pod may have chosen the client id and the issuer: check both before you run a command'

/** Makes the checks of identities, projected tokens, clock and tokens. `machine` names the machine with the clock. */
export function checkTokens(status: TokenStatus, machine: string): Finding[] {
  const assertions = status.assertions.map((each) =>
    createFinding('projected_token', checkAssertion(each, status), each.file),
  )
  return [
    ...checkIdentities(status),
    ...assertions,
    createFinding('clock', checkClock(status.clockSkewSeconds, machine)),
    ...checkExchanges(status, assertions),
  ]
}

/** Returns a finding for each identity. If none is configured, it is a failure, unless a token was requested by its client id. */
function checkIdentities({ identities, tokens }: TokenStatus): Finding[] {
  if (identities.length === 0) {
    const fault = { code: 'identity_not_found', ...WITHOUT_IDENTITY } as const
    const named = passed('none is configured: requests name their client id')
    return [createFinding('identity', tokens.length > 0 ? named : failed(fault))]
  }
  return identities.map(({ name, clientId, tenantId, authorityHost, tokenFile, isDefault }) => {
    const prefix = isDefault ? 'the default, ' : ''
    const client = `${prefix}client ${clientId}, tenant ${tenantId} at ${authorityHost}`
    return createFinding('identity', passed(client, `token file ${tokenFile}`), name)
  })
}

/** Checks the projected token, by Entra's clock if it is known. Warns of an unusual audience that no exchange has tested. */
function checkAssertion(
  { file, claims, failure }: TokenStatus['assertions'][number],
  { generatedAt, clockSkewSeconds = 0, identities, tokens }: TokenStatus,
): Outcome {
  if (failure !== undefined) return reportedFailure(failure)
  if (claims === undefined) return notChecked('it has not been read yet')
  const details = [
    `expires at ${claims.expiresAt}`,
    `issuer    ${claims.issuer}`,
    `subject   ${claims.subject}`,
    `audience  ${claims.audience.join(', ')}`,
  ]
  const expiresAt = Date.parse(claims.expiresAt)
  if (expiresAt <= Date.parse(generatedAt) - clockSkewSeconds * 1000) {
    return failed(createExpiredError(file, { expiresAt }), ...details)
  }
  const isTested = tokens.some(({ cached, clientId }) => {
    const { tokenFile = file } = identities.find((each) => each.clientId === clientId) ?? {}
    return cached !== undefined && tokenFile === file
  })
  const isUsual = isTested || claims.audience.some(isFederationAudience)
  return { ...passed(...details), warnings: isUsual ? [] : [warnOfAudience(claims.audience)] }
}

const warnOfAudience = (audience: readonly string[]) =>
  `no cloud of Entra ID documents the audience ${formatAudience(audience)}. Fix: project a token with the audience of your cloud (${DEFAULT_AUDIENCE} in the public cloud), unless the federated credential or an identity binding needs this one`

function checkClock(skewSeconds: number | undefined, machine: string): Outcome {
  if (skewSeconds === undefined) return notChecked('no reply of Entra ID has told its time')
  const skewMs = skewSeconds * 1000
  const skew = describeSkew(skewMs, machine)
  if (!isSkewed(skewMs)) return passed(skew)
  const consequence =
    skewMs > 0 ? 'projected tokens look expired too early' : 'expired projected tokens look valid'
  return failed({
    code: 'clock_skew',
    problem: `${skew}, so that ${consequence}`,
    fix: SKEW_FIX,
  })
}

/** Returns a finding for each token, and for each identity without one. */
function checkExchanges(status: TokenStatus, assertions: readonly Finding[]): Finding[] {
  const { identities, tokens } = status
  const used = new Set(tokens.map(({ identity }) => identity))
  const unused = identities.filter(({ name }) => !used.has(name))
  const findings = [
    ...tokens.map((token) => {
      const subject = `${token.identity} → ${token.resource}`
      return createFinding('token_exchange', checkToken(token, status, assertions), subject)
    }),
    ...unused.map(({ name }) => createFinding('token_exchange', NO_TOKEN, name)),
  ]
  const none = notChecked('no identity is configured, and no token was requested')
  return findings.length > 0 ? findings : [createFinding('token_exchange', none)]
}

const NO_TOKEN = notChecked(
  'no token is cached: let the application request one, or add the annotation wimds.io/prefetch; in the container of a sidecar, wimds doctor requests one itself',
)

function checkToken(
  { identity: name, clientId, cached, failure }: TokenStatus['tokens'][number],
  status: TokenStatus,
  assertions: readonly Finding[],
): Outcome {
  const details = cached === undefined ? [] : [`token until ${cached.expiresAt}`]
  if (failure === undefined) return cached === undefined ? NO_TOKEN : passed(...details)
  const { tokenFile } = status.identities.find((each) => each.clientId === clientId) ?? {}
  const broken = assertions.find(
    ({ subject, failure: { code } = {} }) =>
      // An unlisted client id may have any of the projected tokens.
      (code === failure.code && (tokenFile ?? subject) === subject) ||
      // Entra ID says nothing about the identity if the projected token has expired.
      (code === 'assertion_expired' && subject === tokenFile && failure.aadsts !== undefined),
  )
  if (broken !== undefined) {
    const { subject, failure: { code } = {} } = broken
    return notChecked(`the projected token ${subject} fails (${code})`, ...details)
  }
  const commands = createCredentialCommands(failure.code, { name, clientId }, status)
  return { ...reportedFailure(failure, ...details), commands }
}
