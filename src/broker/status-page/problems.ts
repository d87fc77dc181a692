/** The problems of the status page: each fault once, with the tokens that it concerns and its fix. */
import { removeTraceIds } from '../../lib/describe-error.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { findAadstsUrl } from '../aadsts.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { capitalize, renderFacts, renderSection, renderText } from './components.ts'
import { type Html, html } from './html.ts'

type Problem = StatusDocument['problems'][number]
export type ShownFailure = NonNullable<Problem['failure']>

/** Renders each problem, and the command for a diagnosis; nothing if there is no problem. */
export function renderProblems(status: StatusDocument, pod?: string): Html {
  const { problems } = status
  if (problems.length === 0) return html``
  const cards = problems.map((problem) => renderProblem(problem, status))
  return renderSection('problems', html`${cards} ${renderDiagnosis(status, pod)}`)
}

function renderProblem(problem: Problem, status: StatusDocument): Html {
  const { summary, failure, explanation, ...facts } = problem
  const { code: _code, message: _message, fix: _fix, aadsts, ...ids } = failure ?? {}
  return html`<div class="problem ${findTone(problem, status)}">
    <h3>${renderText(capitalize(summary))}</h3>
    ${explanation && html`<p>${renderText(capitalize(explanation))}.</p>`}
    ${failure && renderFailure(failure, summary)}
    ${renderFacts({ ...facts, aadsts: renderAadsts(aadsts), ...ids }, status.generatedAt)}
  </div>`
}

/** Returns how urgent a problem is: less while all its tokens are still cached, or while a sidecar starts. */
function findTone({ failure, servedUntil, withoutToken }: Problem, { state }: StatusDocument) {
  if (state === 'starting' && failure === undefined) return 'starting'
  return servedUntil === undefined || withoutToken !== undefined ? 'failing' : 'degraded'
}

/** Renders the failure of a row: only its code if a problem above has its fix. */
export function renderRowFailure(failure: ShownFailure, { problems }: StatusDocument): Html {
  const { code, fix } = failure
  const isExplained = problems.some(({ failure: of }) => of?.code === code && of.fix === fix)
  return isExplained ? renderCode(code) : renderFailure(failure)
}

/** Renders the code, the fix, and the message, if it is not the summary, without Entra ID's ids at its end. */
function renderFailure({ code, message, fix }: ShownFailure, summary?: string): Html {
  return html`${renderCode(code)}
  ${message !== summary && html`<p>${renderText(removeTraceIds(message))}</p>`}
  ${fix && html`<p><strong>Fix:</strong> ${renderText(fix)}.</p>`}`
}

function renderCode(code: string): Html {
  const url = `${DOCS_URL}/troubleshooting.html#${code}`
  return html`<a class="tag failing" href="${url}">${renderText(code)}</a>`
}

/** Renders an AADSTS number, as a link to its section if there is one; undefined: there is no number. */
function renderAadsts(aadsts: number | undefined): Html | undefined {
  const url = findAadstsUrl(aadsts)
  if (url !== undefined) return html`<a href="${url}">${aadsts}</a>`
  return aadsts === undefined ? undefined : html`${aadsts}`
}

/** Renders the next step: `wimds doctor`. `pod` has no sidecar to run it in. */
function renderDiagnosis({ workload }: StatusDocument, pod: string | undefined): Html {
  const { inPod, namespace = 'NAMESPACE', host } = workload
  const exec = inPod ? `kubectl exec -n ${namespace} ${host} -c wimds -- ` : ''
  const command = pod === undefined ? `${exec}wimds doctor` : `wimds doctor ${pod}`
  return html`<p>
    Next, run
    <code>${renderText(command)}</code>${!inPod && ' with the environment of this sidecar'}. It
    prints the commands for a missing federated credential.
  </p>`
}
