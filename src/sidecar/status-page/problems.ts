/** The problems of the status page: each fault once, with the tokens that it concerns and its fix. */
import { firstItems } from '../../lib/printable.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { DOCS_URL } from '../../lib/version.ts'
import {
  capitalize,
  type Failure,
  isUnlisted,
  renderCommand,
  renderErrorCode,
  renderFacts,
  renderFix,
  renderMessage,
  renderMono,
  renderNextAttempt,
  renderSection,
  renderText,
  renderTime,
  UNLISTED,
} from './components.ts'
import { type Html, html } from './html.ts'
import { createDoctorCommand, findRemedies } from './remedies.ts'

type Problem = StatusDocument['problems'][number]

/** Renders a card for each problem, and the command for a diagnosis; nothing if there is no problem. */
export function renderProblems(status: StatusDocument): Html {
  const { problems } = status
  if (problems.length === 0) return html``
  const isWaiting = problems.every((problem) => findTone(problem, status) === 'starting')
  const heading = isWaiting ? 'What it waits for' : 'What is wrong'
  const cards = problems.map((problem, at) => renderProblem(problem, `problem-${at + 1}`, status))
  return renderSection({
    id: 'problems',
    title: problems.length === 1 ? heading : `${heading} (${problems.length})`,
    content: html`<ul class="problems">
        ${cards}
      </ul>
      <div class="card diagnosis">${renderDiagnosis(status)}</div>`,
  })
}

/** Renders the next step: `wimds doctor`, which needs the environment of the sidecar. */
function renderDiagnosis(status: StatusDocument): Html {
  const command = createDoctorCommand(status)
  return command === undefined
    ? html`<p>
        Next, run
        <a href="${DOCS_URL}/doctor.md" rel="noreferrer">wimds doctor</a> with the environment of
        this <code>wimds serve</code>; each failed check comes with its fix.
      </p>`
    : html`<p>
          Next, check this sidecar${describePlaceholders(command)}; each failed check comes with its
          fix:
        </p>
        ${renderCommand(command)}`
}

/** Returns the link to the problem of a failure; undefined if none, or more than one, may be the one. */
export function findProblemLink(
  { problems }: StatusDocument,
  code: string,
  of: Partial<Pick<StatusDocument['tokens'][number], 'clientId' | 'resource'>> = {},
): string | undefined {
  const indexes = problems.flatMap(({ failure, clientId, resources }, index) =>
    failure?.code === code &&
    (of.clientId === undefined || clientId === undefined || clientId === of.clientId) &&
    (of.resource === undefined || resources === undefined || resources.includes(of.resource))
      ? index
      : [],
  )
  const [index] = indexes
  return index === undefined || indexes.length > 1 ? undefined : `#problem-${index + 1}`
}

function renderProblem(problem: Problem, id: string, status: StatusDocument): Html {
  const { summary, failure } = problem
  const tone = findTone(problem, status)
  return html`<li class="card problem ${tone}" id="${id}">
    <div class="row">
      <h3>${renderText(capitalize(nameUnlisted(summary, problem, status)))}</h3>
      ${failure && renderErrorCode(failure, tone)}
    </div>
    ${renderEffect(problem, status)} ${failure && renderCause(failure, problem, status)}
  </li>`
}

/** Renders why it failed, and what to do. */
function renderCause(failure: Failure, problem: Problem, status: StatusDocument): Html {
  const { summary, explanation, resources = [] } = problem
  const { code, message } = failure
  return html`${resources.length > 3 && html`<p class="small">${renderText(resources.join(', '))}</p>`}
    ${explanation && html`<p>${renderText(capitalize(explanation))}.</p>`}
    ${summary !== message && renderMessage(failure, explanation && 'quiet small')}
    ${renderFix(failure)}
    ${findRemedies(problem, status).map(
      ([purpose, command]) =>
        html`<p class="label">${purpose}${describePlaceholders(command)}:</p>
          ${renderCommand(command)}`,
    )}
    <p class="quiet small">
      <a href="${DOCS_URL}/troubleshooting.md#${code}" rel="noreferrer">Troubleshooting: ${code}</a
      >${renderSupportIds(failure)}
    </p>`
}

/** Renders the ids that Microsoft's support asks for; nothing if there are none. */
function renderSupportIds({ entraTraceId, entraCorrelationId }: Failure): Html | undefined {
  const ids = [
    ...(entraTraceId === undefined ? [] : [`trace ${entraTraceId}`]),
    ...(entraCorrelationId === undefined ? [] : [`correlation ${entraCorrelationId}`]),
  ]
  return ids.length === 0 ? undefined : html`. For support: ${renderMono(ids.join(', '))}`
}

/** Replaces a client id that stands for a name; the id is among the facts. */
function nameUnlisted(summary: string, { identity }: Problem, status: StatusDocument): string {
  return identity !== undefined && isUnlisted(identity, status)
    ? summary.replace(` as ${identity}`, ` as ${UNLISTED}`)
    : summary
}

/**
 * Returns how urgent a problem is: less while all its tokens are still served. A sidecar that starts waits without
 * a fault.
 */
function findTone(problem: Problem, { state }: StatusDocument) {
  if (state === 'starting' && problem.failure === undefined) return 'starting'
  return failsRequests(problem) ? 'failing' : 'degraded'
}

/** Returns true unless all tokens that a problem concerns are cached. */
function failsRequests({ servedUntil, withoutToken }: Problem): boolean {
  return servedUntil === undefined || withoutToken !== undefined
}

/** Returns since when requests fail: the earliest time of a problem for which they do; undefined if none does. */
export function findFailingSince({ problems }: StatusDocument): string | undefined {
  const times = problems.filter(failsRequests).flatMap(({ failingSince }) => failingSince ?? [])
  return times.toSorted()[0]
}

/** Renders what applications get meanwhile, since when, and how often the exchange failed. */
function renderEffect(problem: Problem, status: StatusDocument): Html {
  const { consecutiveFailures, failingSince, servedUntil, nextAttemptAt, identity } = problem
  const { generatedAt } = status
  return renderFacts(
    [
      ['Client id', identity && isUnlisted(identity, status) ? renderMono(identity) : undefined],
      ['Failing since', failingSince && renderTime(failingSince, generatedAt)],
      ['Applications get', describeServed(problem, status)],
      ['Until', servedUntil && html`${renderTime(servedUntil, generatedAt)}, then errors`],
      ['Next attempt', nextAttemptAt && renderNextAttempt(nextAttemptAt, generatedAt)],
      ['Failed exchanges', consecutiveFailures ? `${consecutiveFailures} in a row` : undefined],
    ],
    'small',
  )
}

/** Returns what a request for these tokens gets; undefined if nothing has failed yet. */
function describeServed(problem: Problem, { tokens }: StatusDocument): Html | string | undefined {
  const { servedUntil, resources, failingSince, withoutToken } = problem
  if (servedUntil === undefined) return failingSince === undefined ? undefined : 'an error'
  if (withoutToken !== undefined) {
    // The identity tells them apart if there are tokens of several.
    const isOneIdentity = new Set(tokens.map(({ clientId }) => clientId)).size <= 1
    const named = withoutToken.map(({ identity, resource }) =>
      isOneIdentity ? resource : `${resource} as ${identity}`,
    )
    return html`cached tokens, and an error for ${renderText(firstItems(named).join(', '))}`
  }
  return resources?.length === 1 ? 'the cached token' : 'cached tokens'
}

/** The words in capitals that stand for what the sidecar does not know. */
const PLACEHOLDER =
  /\b(?:IDENTITY_NAME|RESOURCE_GROUP|CLUSTER|CLIENT_ID|DEPLOYMENT|NAMESPACE|SERVICEACCOUNT)\b/g

function describePlaceholders(command: string): string {
  const names = [...new Set(command.match(PLACEHOLDER))]
  return names.length === 0 ? '' : ` (fill in ${names.join(', ')})`
}
