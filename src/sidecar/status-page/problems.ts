/** The problems of the status page: each fault once, with the tokens that it concerns and its fix. */
import { removeTraceIds } from '../../lib/describe-error.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { capitalize, renderCommand, renderFacts, renderSection, renderText } from './components.ts'
import { type Html, html } from './html.ts'
import { createDoctorCommand, findRemedies } from './remedies.ts'

type Problem = StatusDocument['problems'][number]
type Failure = NonNullable<Problem['failure']>

/** Renders each problem, and the command for a diagnosis; nothing if there is no problem. */
export function renderProblems(status: StatusDocument): Html {
  const { problems } = status
  if (problems.length === 0) return html``
  const cards = problems.map((problem, at) => renderProblem(problem, `problem-${at + 1}`, status))
  return renderSection('problems', html`${cards} ${renderDiagnosis(status)}`)
}

function renderProblem(problem: Problem, id: string, status: StatusDocument): Html {
  const { summary, failure, explanation, ...facts } = problem
  const { code, message, fix: _, ...ids } = failure ?? { message: summary }
  return html`<div class="problem ${findTone(problem, status)}" id="${id}">
    <h3>${renderText(capitalize(summary))}</h3>
    ${explanation && html`<p>${renderText(capitalize(explanation))}.</p>`}
    ${failure && message !== summary && renderMessage(failure)} ${failure && renderFix(failure)}
    ${renderFacts({ ...facts, ...ids }, status.generatedAt)}
    ${findRemedies(problem, status).map(([purpose, command]) => renderRemedy(purpose, command))}
    ${
      code &&
      html`<p>
        <a href="${DOCS_URL}/troubleshooting.html#${code}" rel="noreferrer"
          >Troubleshooting: ${code}</a
        >
      </p>`
    }
  </div>`
}

/** Returns how urgent a problem is: less while all its tokens are still cached, or while a sidecar starts. */
function findTone({ failure, servedUntil, withoutToken }: Problem, { state }: StatusDocument) {
  if (state === 'starting' && failure === undefined) return 'starting'
  return servedUntil === undefined || withoutToken !== undefined ? 'failing' : 'degraded'
}

/** A row of the page that may have failed. */
export interface FailedRow {
  readonly failure?: Failure | undefined
  readonly identity?: string
  readonly resource?: string
}

/** Renders the failure of a row, if any: a link to the problem that explains it, or else its message and fix. */
export function renderFailure(
  { failure, identity, resource }: FailedRow,
  { problems }: StatusDocument,
): Html | undefined {
  if (failure === undefined) return undefined
  const explaining = problems.filter(
    (problem) =>
      problem.failure?.code === failure.code &&
      (identity === undefined || (problem.identity ?? identity) === identity) &&
      (resource === undefined || problem.resources?.includes(resource) !== false),
  )
  const [problem] = explaining
  return problem === undefined || explaining.length > 1
    ? html`<span class="tag">${renderText(failure.code)}</span> ${renderMessage(failure)}
        ${renderFix(failure)}`
    : html`<a class="tag failing" href="#problem-${problems.indexOf(problem) + 1}"
        >${renderText(failure.code)}</a
      >`
}

/** Renders what happened, without the ids at the end of Entra ID's text. */
function renderMessage({ message }: Failure): Html {
  return html`<p>${renderText(removeTraceIds(message))}</p>`
}

function renderFix({ fix }: Failure): Html | undefined {
  return fix === undefined ? undefined : html`<p><strong>Fix:</strong> ${renderText(fix)}.</p>`
}

/** Renders the next step: `wimds doctor`, which needs the environment of the sidecar. */
function renderDiagnosis(status: StatusDocument): Html {
  const command = createDoctorCommand(status)
  if (command !== undefined) return renderRemedy('Next, check this sidecar', command)
  return html`<p>
    Next, run <a href="${DOCS_URL}/doctor.html" rel="noreferrer">wimds doctor</a> with the
    environment of this <code>wimds serve</code>.
  </p>`
}

/** The words in capitals that stand for what the sidecar does not know. */
const PLACEHOLDER = /\b(?:IDENTITY_NAME|RESOURCE_GROUP|CLIENT_ID|NAMESPACE)\b/g

/** Renders a command with its purpose, and the names of the placeholders in it. */
function renderRemedy(purpose: string, command: string): Html {
  const names = [...new Set(command.match(PLACEHOLDER))]
  const placeholders = names.length === 0 ? '' : ` (fill in ${names.join(', ')})`
  return html`<p>${purpose}${placeholders}:</p>
    ${renderCommand(command)}`
}
