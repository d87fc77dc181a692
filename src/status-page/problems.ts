/** The problems of the status page: each fault once, with what it concerns and what to do. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { DOCS_URL } from '../version.ts'
import {
  parseFailure,
  renderCommand,
  renderErrorCode,
  renderSection,
  renderSupportIds,
  renderText,
} from './components.ts'
import { type Html, html } from './html.ts'
import { createDoctorCommand, findRemedies } from './remedies.ts'

type Problem = NonNullable<StatusDocument['problems']>[number]

/** Renders a card for each problem, and the command for a diagnosis; nothing if there is no problem. */
export function renderProblems(status: StatusDocument): Html {
  const { problems = [] } = status
  if (problems.length === 0) return html``
  const title = problems.length === 1 ? 'What is wrong' : `What is wrong (${problems.length})`
  return renderSection(
    'problems',
    title,
    html`<ul class="problems">
        ${problems.map((problem, index) => renderProblem(problem, `problem-${index + 1}`, status))}
      </ul>
      <div class="card diagnosis">
        <p>For a diagnosis of this pod, with the fix of each failed check:</p>
        ${renderCommand(createDoctorCommand(status))}
      </div>`,
  )
}

/** Returns the link to the problem with this error code; undefined if none has it. */
export function findProblemLink(
  { problems = [] }: StatusDocument,
  code: string,
  clientId?: string,
): string | undefined {
  const index = problems.findIndex(
    ({ failure, clientId: concerned }) =>
      failure?.code === code &&
      (clientId === undefined || concerned === undefined || concerned === clientId),
  )
  return index < 0 ? undefined : `#problem-${index + 1}`
}

function renderProblem(problem: Problem, id: string, status: StatusDocument): Html {
  const { summary, failure, explanation, resources = [] } = problem
  if (failure === undefined) {
    return html`<li class="card problem ${status.state}" id="${id}">
      <h3>${renderText(capitalize(summary))}</h3>
    </li>`
  }
  const { problem: message, fix } = parseFailure(failure)
  // The summary of a faulty projected token is its message, with the fix.
  const [title = ''] = summary.split(/\.? Fix: /)
  const isInTitle = title.startsWith(message)
  const remedies = findRemedies(problem, status)
  return html`<li class="card problem ${status.state}" id="${id}">
    <div class="row">
      <h3>${renderText(capitalize(title))}</h3>
      ${renderErrorCode(failure, status.state === 'degraded' ? 'degraded' : 'failing')}
    </div>
    <p class="quiet small">${renderExtent(problem, status)}</p>
    ${resources.length > 3 ? html`<p class="small">${renderText(resources.join(', '))}</p>` : undefined}
    ${explanation === undefined ? undefined : html`<p>${renderText(capitalize(explanation))}.</p>`}
    ${isInTitle ? undefined : html`<p class="${explanation === undefined ? '' : 'quiet small'}">${renderText(message)}</p>`}
    ${fix === undefined ? undefined : html`<p><strong>Fix:</strong> ${renderText(fix)}.</p>`}
    ${remedies.map(
      ({ label, command }) =>
        html`<p class="label">${label}:</p>
          ${renderCommand(command)}`,
    )}
    <p class="quiet small">
      <a href="${DOCS_URL}/troubleshooting.md#${failure.code}" rel="noreferrer"
        >Troubleshooting: ${failure.code}</a
      >${renderSupportIds(failure)}
    </p>
  </li>`
}

/** Renders how often it happened: exchanges in a row, and requests that got this error. */
function renderExtent({ consecutiveFailures, failure }: Problem, status: StatusDocument): string {
  const requests = status.failedRequests
    .filter((each) => each.failure.code === failure?.code)
    .reduce((sum, { count }) => sum + count, 0)
  return [
    ...(consecutiveFailures === undefined
      ? []
      : [
          `${consecutiveFailures} failed ${consecutiveFailures === 1 ? 'exchange' : 'exchanges in a row'}`,
        ]),
    ...(requests === 0
      ? []
      : [`${requests} ${requests === 1 ? 'request' : 'requests'} answered with this error`]),
  ].join(', ')
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
